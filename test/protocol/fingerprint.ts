import { toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import {
  closeCodes,
  downBatchMaxBytes,
  envelopeMaxBytes,
  errors,
  frameKinds,
  frameVersion,
  jsonSubprotocol,
  keyLabels,
  limits,
  protocolVersions,
  sha256,
  signaturePurposes,
  subprotocol,
} from '@waxwing/protocol';
import { file_waxwing_v1_device_list } from '../../protocol/src/gen/waxwing/v1/device_list_pb.ts';
import { file_waxwing_v1_frame } from '../../protocol/src/gen/waxwing/v1/frame_pb.ts';
import { file_waxwing_v1_wire } from '../../protocol/src/gen/waxwing/v1/wire_pb.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const hashOf = (value: unknown) => hex(sha256(JSON.stringify(value)));

/** One SHA-256 for each part of the contract that two sides must agree on: changed by any change of it, and by no comment. */
export function fingerprint(): Readonly<Record<string, string>> {
  const schema = (file: typeof file_waxwing_v1_wire) => hex(sha256(toBinary(FileDescriptorProtoSchema, file.proto)));
  return {
    'wire.proto': schema(file_waxwing_v1_wire),
    'frame.proto': schema(file_waxwing_v1_frame),
    'device_list.proto': schema(file_waxwing_v1_device_list),
    errors: hashOf(errors),
    limits: hashOf({ ...limits, envelopeMaxBytes, downBatchMaxBytes }),
    closeCodes: hashOf(closeCodes),
    signaturePurposes: hashOf(signaturePurposes),
    keyLabels: hashOf(keyLabels),
    frameKinds: hashOf(frameKinds),
    versions: hashOf({ protocolVersions, frameVersion, subprotocol, jsonSubprotocol }),
  };
}
