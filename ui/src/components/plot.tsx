import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import { clockTimeWithSeconds } from './format.js';

export interface Series {
  name: string;
  /** A variable of the style, such as `--plot-1`. */
  color: string;
  values: (number | null)[];
}

interface PlotProps {
  title: string;
  /** Milliseconds. */
  times: number[];
  series: Series[];
  format: (value: number) => string;
}

const HEIGHT = 170;
const TABLE_ROWS = 12;

/** Values over time. A canvas tells nothing to a screen reader, so the last values stand in a table below it. */
export function Plot({ title, times, series, format }: PlotProps): JSX.Element {
  const last = times
    .map((at, index) => ({ at, index }))
    .slice(-TABLE_ROWS)
    .reverse();
  return (
    <figure class="plot">
      <figcaption>
        <span class="plot-title">{title}</span>
        <span class="legend">
          {series.map(({ name, color, values }) => (
            <span key={name}>
              <i style={{ background: `var(${color})` }} aria-hidden="true" />
              {name} <b>{shown(values.at(-1), format)}</b>
            </span>
          ))}
        </span>
      </figcaption>
      <Canvas times={times} series={series} format={format} />
      <details>
        <summary>As a table</summary>
        <table class="table compact fixed">
          <caption class="unseen">{title}, the last values</caption>
          <thead>
            <tr>
              <th scope="col">Time</th>
              {series.map(({ name }) => (
                <th key={name} scope="col" class="numeric">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {last.map(({ at, index }) => (
              <tr key={at}>
                <td>{clockTimeWithSeconds(at)}</td>
                {series.map(({ name, values }) => (
                  <td key={name} class="numeric">
                    {shown(values[index], format)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}

const shown = (value: number | null | undefined, format: (value: number) => string): string =>
  value === null || value === undefined ? '–' : format(value);

function Canvas({ times, series, format }: Omit<PlotProps, 'title'>): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const data = [times.map((at) => at / 1000), ...series.map(({ values }) => values)] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  const shape = series.map(({ name }) => name).join();

  useEffect(() => {
    const element = place.current!;
    const scheme = window.matchMedia('(prefers-color-scheme: dark)');
    let gone = false;
    // What the page shows first does not wait for the plots.
    const loading = import('uplot').then(({ default: Plotter }) => {
      const draw = (): void => {
        plot.current?.destroy();
        if (!gone) plot.current = new Plotter(options(element, series, format), latest.current, element);
      };
      draw();
      scheme.addEventListener('change', draw);
      return () => scheme.removeEventListener('change', draw);
    });
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      gone = true;
      resized.disconnect();
      void loading.then((stop) => stop());
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(data), [times, series]);

  return <div ref={place} class="canvas" aria-hidden="true" />;
}

function options(element: HTMLElement, series: Series[], format: (value: number) => string): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: color('--muted'),
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui',
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 18, 0, 0],
    scales: { y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, size: 26, values: (_plot, splits) => splits.map((at) => clockTimeWithSeconds(at * 1000).slice(0, 5)) },
      { ...axis, size: 64, values: (_plot, splits) => splits.map(format) },
    ],
    series: [
      {},
      ...series.map(({ name, color: variable }) => ({
        label: name,
        stroke: color(variable),
        width: 1.5,
        points: { show: false },
      })),
    ],
  };
}
