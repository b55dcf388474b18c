import { AjvCompiler, type BuildCompilerFromPool } from '@fastify/ajv-compiler';

/**
 * Compiles what requests are checked by. One for all apps of a process: the schemas of the routes are constants, and each is
 * compiled once, however often a server is started. Names of headers in a schema are lower case: nothing changes them.
 */
export const compileSchemas: BuildCompilerFromPool = AjvCompiler();
