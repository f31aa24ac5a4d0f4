export * from "../config/read_package.ts";
