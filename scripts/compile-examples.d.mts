/** Where the compiled examples are: `<folder>/NAME/main.js`. */
export declare const compiledExamples: string;
/** @throws with the messages of the compiler */
export declare function compileExamples(): void;
