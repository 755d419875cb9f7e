/** What is wrong with the name of a worker; undefined: it is good. */
export declare function faultOfName(name: string): string | undefined;
/** `card-payment` → `CardPayment` */
export declare function pascalCase(name: string): string;
/** `card-payment` → `cardPayment` */
export declare function camelCase(name: string): string;
