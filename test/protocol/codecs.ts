import type fc from 'fast-check';
import {
  decodeContent,
  decodeDownBatch,
  decodeEnvelope,
  decodeFrame,
  decodeHeads,
  decodeReceipt,
  decodeRepairAnswer,
  decodeRepairRequest,
  decodeSignedDeviceList,
  decodeSubmitBody,
  decodeUpBatch,
  encodeContent,
  encodeDownBatch,
  encodeEnvelope,
  encodeFrame,
  encodeHeads,
  encodeReceipt,
  encodeRepairAnswer,
  encodeRepairRequest,
  encodeSignedDeviceList,
  encodeSubmitBody,
  encodeUpBatch,
  readDeviceList,
  signDeviceList,
} from '@waxwing/protocol';
import * as arbitrary from './arbitraries.ts';

/** One way to write a kind of value, with the values that it can carry. */
export type Codec<T> = {
  readonly name: string;
  readonly values: fc.Arbitrary<T>;
  readonly encode: (value: T) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => T;
};

/** A codec whose value type is forgotten: `encoded` gives bytes of arbitrary values, `again` decodes and encodes them. */
export type AnyCodec = {
  readonly name: string;
  readonly pairs: fc.Arbitrary<{ readonly value: unknown; readonly bytes: Uint8Array }>;
  readonly decode: (bytes: Uint8Array) => unknown;
  readonly again: (bytes: Uint8Array) => Uint8Array;
  readonly encodePlain: (value: unknown) => Uint8Array;
};

function codec<T>({ name, values, encode, decode }: Codec<T>): AnyCodec {
  return {
    name,
    pairs: values.map((value) => ({ value, bytes: encode(value) })),
    decode,
    again: (bytes) => encode(decode(bytes)),
    // A frozen vector's value is checked by what it encodes to.
    encodePlain: (value) => encode(value as T),
  };
}

const fakeSignature = new Uint8Array(64).fill(7);

const up = codec({
  name: 'up batch',
  values: arbitrary.up.map((one) => [one]),
  encode: (messages) => encodeUpBatch(messages),
  decode: (bytes) => decodeUpBatch(bytes),
});
const upJson = codec({
  name: 'up batch as JSON',
  values: arbitrary.up.map((one) => [one]),
  encode: (messages) => encodeUpBatch(messages, 'json'),
  decode: (bytes) => decodeUpBatch(bytes, 'json'),
});
const down = codec({
  name: 'down batch',
  values: arbitrary.down.map((one) => [one]),
  encode: (messages) => encodeDownBatch(messages),
  decode: (bytes) => decodeDownBatch(bytes),
});
const downJson = codec({
  name: 'down batch as JSON',
  values: arbitrary.down.map((one) => [one]),
  encode: (messages) => encodeDownBatch(messages, 'json'),
  decode: (bytes) => decodeDownBatch(bytes, 'json'),
});
const submitBody = codec({
  name: 'submit body',
  values: arbitrary.submitBody,
  encode: encodeSubmitBody,
  decode: decodeSubmitBody,
});
const envelope = codec({
  name: 'envelope',
  values: arbitrary.envelope,
  encode: encodeEnvelope,
  decode: decodeEnvelope,
});
const frame = codec({ name: 'frame', values: arbitrary.frame, encode: encodeFrame, decode: decodeFrame });
const content = codec({ name: 'content', values: arbitrary.content, encode: encodeContent, decode: decodeContent });
const heads = codec({ name: 'heads', values: arbitrary.heads, encode: encodeHeads, decode: decodeHeads });
const receipt = codec({ name: 'receipt', values: arbitrary.receipt, encode: encodeReceipt, decode: decodeReceipt });
const repairRequest = codec({
  name: 'repair request',
  values: arbitrary.repairRequest,
  encode: encodeRepairRequest,
  decode: decodeRepairRequest,
});
const repairAnswer = codec({
  name: 'repair answer',
  values: arbitrary.repairAnswer,
  encode: encodeRepairAnswer,
  decode: decodeRepairAnswer,
});
const deviceList = codec({
  name: 'device list',
  values: arbitrary.deviceList,
  encode: (list) => encodeSignedDeviceList(signDeviceList(list, () => fakeSignature)),
  decode: (bytes) => readDeviceList(decodeSignedDeviceList(bytes)),
});
const signedDeviceList = codec({
  name: 'signed device list',
  values: arbitrary.deviceList.map((list) =>
    signDeviceList(
      list,
      () => fakeSignature,
      () => fakeSignature,
    ),
  ),
  encode: encodeSignedDeviceList,
  decode: decodeSignedDeviceList,
});

export const codecs: readonly AnyCodec[] = [
  up,
  upJson,
  down,
  downJson,
  submitBody,
  envelope,
  frame,
  content,
  heads,
  receipt,
  repairRequest,
  repairAnswer,
  deviceList,
  signedDeviceList,
];
