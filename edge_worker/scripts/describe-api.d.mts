export declare const DESCRIPTION_FILE: string;
export declare function describeApi(): Promise<string>;
