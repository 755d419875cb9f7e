import { describe, expect, it } from 'vitest';
import { ExecutionGate, type Leave } from '../../../src/controllers/rpc/execution-gate.js';

/** A gate, and who is inside, by name. */
function opened() {
  const gate = new ExecutionGate();
  const inside = new Map<string, Leave>();
  return {
    enter: (name: string) => gate.enter((leave) => inside.set(name, leave)),
    enterAlone: (name: string) => gate.enterAlone((leave) => inside.set(name, leave)),
    leave: (name: string) => {
      const leave = inside.get(name)!;
      inside.delete(name);
      leave();
    },
    inside: () => [...inside.keys()],
  };
}

describe('the gate of executions', () => {
  it('lets in together, at once, what need not be alone', () => {
    const { enter, inside } = opened();
    enter('a');
    enter('b');
    expect(inside()).toEqual(['a', 'b']);
  });

  it('lets nothing in beside what is alone', () => {
    const { enter, enterAlone, leave, inside } = opened();
    enterAlone('a');
    enter('b');
    enter('c');
    enterAlone('d');
    expect(inside()).toEqual(['a']);
    leave('a');
    expect(inside()).toEqual(['b', 'c']);
    leave('b');
    expect(inside()).toEqual(['c']);
    leave('c');
    expect(inside()).toEqual(['d']);
  });

  it('lets nothing pass what waits to be alone', () => {
    const { enter, enterAlone, leave, inside } = opened();
    enter('a');
    enterAlone('b');
    enter('c');
    expect(inside()).toEqual(['a']);
    leave('a');
    expect(inside()).toEqual(['b']);
    leave('b');
    expect(inside()).toEqual(['c']);
  });

  it('lets others in between two that are alone', () => {
    const { enter, enterAlone, leave, inside } = opened();
    enterAlone('a');
    enter('b');
    leave('a');
    enterAlone('a again');
    expect(inside()).toEqual(['b']);
    leave('b');
    expect(inside()).toEqual(['a again']);
  });

  it('lets in what asks while another is let in', () => {
    const gate = new ExecutionGate();
    const told: string[] = [];
    gate.enter((leave) => {
      gate.enterAlone(() => told.push('alone'));
      gate.enter(() => told.push('together'));
      told.push('first');
      leave();
    });
    expect(told).toEqual(['first', 'alone']);
  });
});
