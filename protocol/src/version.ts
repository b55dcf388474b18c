/** The WebSocket subprotocol; `waxwing.v1.json` carries the same as JSON, for debugging. */
export const subprotocol = 'waxwing.v1';
export const jsonSubprotocol = 'waxwing.v1.json';

/** Versions that a server speaks, newest first. History: 1, November 2026, the first. */
export const protocolVersions = [1] as const;

/** The version in every plaintext frame. */
export const frameVersion = 1;
