import { ProtocolError, parseAccountId, type AccountId } from '@waxwing/protocol';

/** An answer that the contract does not know. `message` names the part and quotes nothing. */
export class AnswerFault extends Error {
  constructor(part: string) {
    super(`not as the contract says: ${part}`);
    this.name = 'AnswerFault';
  }
}

/** A JSON object. What is no JSON, or another value, is a fault. */
export function parseJsonObject(bytes: Uint8Array): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new AnswerFault('JSON');
  }
  return new JsonObject(value, 'answer');
}

/** The members of a decoded object, each checked as it is read. Members that are not asked for are let be. */
export class JsonObject {
  readonly #members: ReadonlyMap<string, unknown>;

  constructor(value: unknown, part: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new AnswerFault(part);
    this.#members = new Map(Object.entries(value));
  }

  text(name: string): string {
    const value = this.#members.get(name);
    if (typeof value !== 'string') throw new AnswerFault(name);
    return value;
  }

  /** Base64url without padding, not empty. */
  bytes(name: string): string {
    const value = this.text(name);
    if (!/^[\w-]+$/.test(value)) throw new AnswerFault(name);
    return value;
  }

  integer(name: string, min: number, max: number): number {
    const value = this.#members.get(name);
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
      throw new AnswerFault(name);
    return value;
  }

  flag(name: string): boolean {
    const value = this.#members.get(name);
    if (typeof value !== 'boolean') throw new AnswerFault(name);
    return value;
  }

  account(name: string): AccountId {
    try {
      return parseAccountId(this.text(name));
    } catch (error) {
      throw error instanceof ProtocolError ? new AnswerFault(name) : error;
    }
  }

  /** An absolute URL with one of these schemes. */
  url(name: string, schemes: readonly string[]): string {
    const value = this.text(name);
    if (!URL.canParse(value) || !schemes.includes(new URL(value).protocol)) throw new AnswerFault(name);
    return value;
  }

  object(name: string): JsonObject {
    return new JsonObject(this.#members.get(name), name);
  }

  optional(name: string): JsonObject | undefined {
    return this.#members.get(name) === undefined ? undefined : this.object(name);
  }

  list(name: string, max: number): readonly unknown[] {
    const value = this.#members.get(name);
    if (!Array.isArray(value) || value.length > max) throw new AnswerFault(name);
    return value;
  }

  objects(name: string, max: number): readonly JsonObject[] {
    return this.list(name, max).map((item) => new JsonObject(item, name));
  }
}
