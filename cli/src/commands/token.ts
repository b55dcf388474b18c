import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import type { HttpTokenRequest, TokenRequest } from '@waxwing/client-core';
import { limits } from '@waxwing/protocol';
import type { Context } from '../context.ts';
import { withDevice } from '../device.ts';
import { Failure, WrongUse } from '../failure.ts';
import { serverOrigin } from '../settings/values.ts';

type TokenOptions = {
  readonly profile: string;
  readonly aud: string;
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
  readonly nonce?: string;
};

const methods = ['GET', 'POST', 'PUT', 'DELETE'] as const;
const NONCE = /^[\w-]{1,128}$/;

export function addToken(program: Command, context: Context): void {
  program
    .command('token')
    .description('Prints a token of the device, so that its server can be called by hand. It is good for a minute.')
    .requiredOption('--profile <dir>', 'the folder of the device')
    .requiredOption('--aud <url>', 'the origin that is called, as http://127.0.0.1:7700')
    .option('--method <method>', 'GET, POST, PUT or DELETE (GET)')
    .option('--path <path>', 'with the query, as /v1/prekeys/count: for one such HTTP request')
    .option('--body <file>', 'what the request will carry, byte for byte; - reads it from standard input')
    .option('--nonce <nonce>', "instead of a request: the relay's challenge, base64url")
    .action((options: TokenOptions) => token(context, options));
}

async function token(context: Context, o: TokenOptions): Promise<void> {
  const server = serverOrigin(o.aud);
  if (server === undefined) throw new WrongUse(`--aud: ${o.aud} is not an origin such as http://127.0.0.1:7700`);
  const request: TokenRequest = { server, ...(o.nonce === undefined ? await httpRequest(context, o) : relayNonce(o)) };
  await withDevice(context, o.profile, async (client) => {
    await context.out.line(await client.token(request));
  });
}

async function httpRequest({ io }: Context, o: TokenOptions): Promise<HttpTokenRequest> {
  const { path, body } = o;
  if (path === undefined) throw new WrongUse('--path: say which path is called, as /v1/prekeys/count');
  if (!/^\/[\x21-\x7e]*$/.test(path) || path.includes('#')) {
    throw new WrongUse(`--path: ${path} is not a path as it is sent, such as /v1/prekeys/count`);
  }
  const method = methods.find((known) => known === (o.method ?? 'GET').toUpperCase());
  if (method === undefined) throw new WrongUse(`--method: ${o.method ?? ''} is none of ${methods.join(', ')}`);
  return { method, path, ...(body !== undefined && { body: await readBody(io.stdin, body) }) };
}

function relayNonce({ nonce = '', method, path, body }: TokenOptions): { readonly nonce: Uint8Array } {
  if ((method ?? path ?? body) !== undefined) {
    throw new WrongUse('--nonce: a token is for the relay or for an HTTP request, not both');
  }
  if (!NONCE.test(nonce)) throw new WrongUse('--nonce: is not a nonce in base64url');
  return { nonce: Buffer.from(nonce, 'base64url') };
}

async function readBody(stdin: Readable, file: string): Promise<Uint8Array> {
  const body = file === '-' ? await readAll(stdin) : await readFile(file).catch(() => undefined);
  if (body === undefined) throw new WrongUse(`--body: ${file} cannot be read`);
  if (body.length > limits.httpKeysBodyMaxBytes) throw new Failure('the body is larger than any that a server takes');
  return body;
}

async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    const part = Buffer.from(chunk instanceof Uint8Array ? chunk : String(chunk));
    chunks.push(part);
    bytes += part.length;
    if (bytes > limits.httpKeysBodyMaxBytes) break;
  }
  return Buffer.concat(chunks);
}
