import { Agent, request, type IncomingHttpHeaders } from 'node:http';
import { claimsFor, bearer, createPerson, registration, type Person } from '../../test/unit/keyserver/person.ts';
import { audience } from '@waxwing/protocol';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
export type Ask = { readonly method: Method; readonly path: string; readonly body?: string; readonly type?: string };
export type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string };

/** As many attackers have; each has its own allowance of requests. */
const ADDRESSES = 64;
const TIMEOUT_MS = 30_000;

/** Requests to a keyserver on sockets, from many addresses, with good tokens. */
export class HttpCaller {
  readonly #url: URL;
  readonly #agent = new Agent({ keepAlive: true });
  #asked = 0;

  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** A new account. */
  async register(oneTime = 2): Promise<Person> {
    const person = createPerson();
    const body = JSON.stringify(registration(person, oneTime));
    const { status, body: said } = await this.#send({ method: 'POST', path: '/v1/accounts', body }, () => ({}));
    if (status !== 201) throw new Error(`registration: ${status} ${said}`);
    return person;
  }

  /** Each with a token of its own: one that was used is refused before anything else is looked at. */
  ask(person: Person, ask: Ask): Promise<Answer> {
    const { method, path, body } = ask;
    return this.#send(ask, () => {
      const claims = claimsFor(person, person.device, Date.now(), { method, path, body });
      const own = { ...claims, aud: audience('keys', this.#url.origin), again: this.#asked };
      return { authorization: bearer(own, person.device) };
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  async #send(ask: Ask, headers: () => Readonly<Record<string, string>>): Promise<Answer> {
    this.#asked += 1;
    const from = `127.0.1.${1 + (this.#asked % ADDRESSES)}`;
    try {
      return await this.#once(ask, headers(), from);
    } catch (error) {
      // A socket that the server closed as the request left, which a kept one may be.
      if (!(error instanceof ReusedSocketError)) throw error;
      this.#asked += 1;
      return this.#once(ask, headers(), from);
    }
  }

  #once(ask: Ask, headers: Readonly<Record<string, string>>, localAddress: string): Promise<Answer> {
    const { method, path, body, type = 'application/json' } = ask;
    const { hostname, port } = this.#url;
    const payload = body === undefined ? undefined : Buffer.from(body);
    const content = payload && { 'content-type': type, 'content-length': String(payload.length) };
    const o = { hostname, port, localAddress, method, path, agent: this.#agent, timeout: TIMEOUT_MS };
    return new Promise((resolve, reject) => {
      let answered = false;
      const call = request({ ...o, headers: { ...headers, ...content } }, (answer) => {
        answered = true;
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', reject);
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString();
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text });
        });
      });
      call.on('timeout', () => call.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
      call.on('error', (error) => {
        // What was still being written when the answer came.
        if (answered) return;
        reject(call.reusedSocket ? new ReusedSocketError(error.message, { cause: error }) : error);
      });
      call.end(payload);
    });
  }
}

class ReusedSocketError extends Error {}
