const KiB = 1024;
const MiB = 1024 * KiB;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Every bound of the protocol and its servers, with the unit last in the name. */
export const limits = {
  // Form
  batchMaxBytes: 256 * KiB,
  batchMaxMessages: 256,
  batchMaxFragments: 64,
  batchMaxChunks: 1_024,
  ciphertextMaxBytes: 96 * KiB,
  frameMaxBytes: 91 * KiB,
  textMaxBytes: 64 * KiB,
  deviceListMaxBytes: 64 * KiB,
  tokenMaxBytes: 4 * KiB,
  recipientsPerSubmit: 1_000,
  devicesPerAccount: 127,
  handlesPerHeads: 500,
  numbersPerEntries: 256,
  replacesPerFrame: 32,
  watermarksPerReceipt: 256,
  exceptRangesPerWatermark: 64,
  rangesPerRepair: 64,
  framesPerRepairAnswer: 256,

  // Connecting
  authenticateWithinMs: 5 * SECOND,
  tokenLifetimeMs: MINUTE,
  tokenFutureMs: 5 * SECOND,
  generationsKept: 64,
  heartbeatMs: 30 * SECOND,
  heartbeatLostMs: 75 * SECOND,
  closeTimeoutMs: 5 * SECOND,
  unauthenticatedPerAddressBurst: 20,
  unauthenticatedPerAddressRefillMs: 3 * SECOND,

  // Submitting
  windowPerHandle: 16,
  windowInAll: 64,
  resultsRemembered: 16,
  floorAheadMs: 48 * HOUR,
  directDedupeMs: 48 * HOUR,
  submitsPerDeviceBurst: 2_000,
  submitsPerDeviceRefillPerSecond: 500,
  errorsPerMinute: 20,
  headsHandlesPerMinute: 2_000,
  rateLimitKeysMax: 100_000,
  storeRetryMs: SECOND,

  // Delivering
  deliverWindowBytes: 256 * KiB,
  socketBufferBytes: 64 * KiB,
  socketBufferMaxBytes: MiB,
  stuckSocketMs: 30 * SECOND,
  ackDelayMs: 100,
  mailboxPageEntries: 64,

  // Keeping
  mailboxTtlMs: 24 * HOUR,
  mailboxMaxEntries: 20_000,
  mailboxMaxBytes: 64 * MiB,
  mailboxShareOfOneSender: 0.25,
  marksPerMailbox: 64,
  counterTtlMs: 400 * DAY,
  usernameRestMs: 30 * DAY,

  // Prekeys
  oneTimeKeysPerUpload: 100,
  oneTimeKeysPerDevice: 200,
  oneTimeKeysRemembered: 1_000,
  prekeysLowBelow: 20,
  accountsPerBundles: 100,
  bundlesPerAnswer: 1_000,
  idempotencyKeyMs: MINUTE,
  oneTimeTakesPerPairBurst: 6,
  oneTimeTakesPerPairRefillMs: 10 * MINUTE,
  bundlesPerCallerBurst: 3_000,
  bundlesPerCallerRefillPerSecond: 5,
  usernameLookupsPerCallerBurst: 100,
  usernameLookupsPerCallerRefillMs: 9 * SECOND,

  // HTTP
  httpBodyMaxBytes: 64 * KiB,
  httpKeysBodyMaxBytes: MiB,
  httpHeaderMaxBytes: 8 * KiB,
  httpHeadersMaxCount: 64,
  httpRequestTimeoutMs: 15 * SECOND,
  httpConnectionTimeoutMs: 20 * SECOND,
  httpHandlerTimeoutMs: 10 * SECOND,
  httpHeadersTimeoutMs: 10 * SECOND,
  httpRequestsPerSocket: 1_000,
  httpPerAddressBurst: 500,
  httpPerAddressRefillMs: 20,
  httpInAllBurst: 2_000,
  httpInAllRefillMs: 1,
  registrationsPerAddressBurst: 1_000,
  registrationsPerAddressRefillMs: SECOND,
  spentTokensMax: 100_000,
  idempotencyKeyMaxBytes: 128,
  idempotentAnswersMax: 10_000,
  idempotentAnswersMaxBytes: 64 * MiB,

  // The device
  nicknameMinLength: 3,
  nicknameMaxLength: 32,
  sequenceHoldMs: 2 * SECOND,
  heldMaxEntries: 10_000,
  heldMaxAgeMs: 30 * DAY,
  receiptDelayMinMs: 500,
  receiptDelayMaxMs: 3 * SECOND,
  answerableMs: 30 * DAY,
  answerablePruneEntries: 500,
  repairFirstMs: 4 * SECOND,
  repairMaxMs: HOUR,
  repairAheadMaxEntries: 20_000,
  repairFramesPerAskerPerMinute: 1_000,
  repairAskersMax: 10_000,
  repairAnswerBytes: 64 * KiB,
  repairedFrameMaxBytes: 90 * KiB,
  sessionRenewalMs: HOUR,
  liveBatchEntries: 64,
  liveBatchMs: 10,
  drainBatchEntries: 256,
  drainBatchMs: 50,
  batchBytes: MiB,
  reconnectFirstMs: 500,
  reconnectMaxMs: 60 * SECOND,
  retryAfterMaxMs: HOUR,
  httpAnswerMaxBytes: 64 * MiB,
  requestTimeoutMs: 20 * SECOND,
  seenMaxNumbers: 256,
} as const;

export type LimitName = keyof typeof limits;
