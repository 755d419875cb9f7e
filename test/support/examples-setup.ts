import { compileExamples } from '../../scripts/compile-examples.mjs';

/** Compiles the programs of the examples, once for a run. The service must have been built before: they import what it publishes. */
export default function setUp(): void {
  compileExamples();
}
