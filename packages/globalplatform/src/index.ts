export { GLOBALPLATFORM_ERRORS } from './errors.ts';
export type { GlobalPlatformErrorCode } from './errors.ts';
export { STATUS_WORD, describeStatusWord, isProcessed } from './status-word.ts';
export { aid, aidBytes } from './aid.ts';
export type { Aid } from './aid.ts';

export { decodeApdu, encodeApdu } from './apdu/command-apdu.ts';
export type { CommandApdu } from './apdu/command-apdu.ts';
export { decodeResponse, encodeResponse } from './apdu/response-apdu.ts';
export type { ResponseApdu } from './apdu/response-apdu.ts';
export { classForChannel, decodeClassByte, plainClass, secureClass } from './apdu/class-byte.ts';
export type { ClassByte } from './apdu/class-byte.ts';

export {
  decodeOnlyTlv,
  decodeTagList,
  decodeTlvs,
  encodeTlv,
  encodeTlvs,
  findTlv,
  readTlv,
  requireTlv,
  tagName,
} from './tlv/ber-tlv.ts';
export type { Tlv } from './tlv/ber-tlv.ts';
export { decodeLvs, encodeLv, encodeLvs, readAll, readLv } from './tlv/length-value.ts';
export { decodeDgis, encodeDgis } from './tlv/dgi.ts';
export type { Dgi } from './tlv/dgi.ts';

export {
  AES_BLOCK,
  AES_KEY_LENGTHS,
  aesCbcDecrypt,
  aesCbcEncrypt,
  aesEcbEncrypt,
  padIso,
  unpadIso,
  ZERO_BLOCK,
} from './crypto/aes.ts';
export { aesCmac } from './crypto/aes-cmac.ts';
export { aesKeyCheckValue, desKeyCheckValue, digestKeyCheckValue } from './crypto/key-check-value.ts';
export {
  deriveScp03,
  DERIVATION_CONSTANT,
  deriveX963,
  diversifyKdf3,
  diversifyKdf3With,
} from './crypto/key-derivation.ts';
export type { StaticKeys } from './crypto/key-derivation.ts';

export {
  C_DECRYPTION,
  C_MAC,
  isSecurityLevel,
  R_ENCRYPTION,
  R_MAC,
} from './secure-channel/security-level.ts';
export type { SecurityLevel } from './secure-channel/security-level.ts';
export {
  deriveSessionKeys,
  SCP03_I,
  scp03CardChallenge,
  scp03Cryptogram,
  scp03FieldLength,
} from './secure-channel/scp03-keys.ts';
export type { SessionKeys } from './secure-channel/scp03-keys.ts';
export { SecureMessaging } from './secure-channel/secure-messaging.ts';
export { SecureChannelSession } from './secure-channel/secure-channel-session.ts';
export {
  decodeInitializeUpdateResponse,
  encodeInitializeUpdateResponse,
  openScp03Session,
} from './secure-channel/scp03-session.ts';
export type { InitializeUpdateResponse, Scp03Options } from './secure-channel/scp03-session.ts';
export { expectedStatus, expectStatus, plainLink, transmitBytes } from './secure-channel/transmit.ts';
export type { CardLink, Trace, TraceEntry, Transmit, TransmitScript } from './secure-channel/transmit.ts';

export { gpCommand, INS, LE_ANY } from './content/command.ts';
export {
  APPLICATION_LIFE_CYCLE,
  CARD_LIFE_CYCLE,
  LIFE_CYCLE_LOCKED,
  lifeCycleName,
  LOAD_FILE_LOADED,
  SECURITY_DOMAIN_LIFE_CYCLE,
} from './content/life-cycle.ts';
export { decodePrivileges, encodePrivileges, PRIVILEGE, privilegeNames } from './content/privileges.ts';
export {
  decodeFileControlInformation,
  encodeFileControlInformation,
  manageChannelCommand,
  selectCommand,
} from './content/select.ts';
export type { FileControlInformation } from './content/select.ts';
export {
  combinedInstallCommands,
  decodeInstallForInstall,
  decodeInstallForLoad,
  decodeInstallForRegistry,
  decodeSecurityDomainParameters,
  encodeInstallForInstall,
  encodeInstallForLoad,
  encodeInstallForRegistry,
  encodeSecurityDomainParameters,
  INSTALL_FOR,
  INSTALL_PROCESS,
  installCommand,
  installForExtraditionCommand,
  installForLoadCommand,
  installForPersonalizationCommand,
  installForRegistryUpdateCommand,
} from './content/install.ts';
export type {
  InstallForInstall,
  InstallForLoad,
  InstallForRegistry,
  SecurityDomainParameters,
} from './content/install.ts';
export {
  checkPutKeyResponse,
  decodePutKey,
  KEY_TYPE,
  putKeysCommand,
  putPrivateKeyCommand,
  putPublicKeyCommand,
  putSymmetricKeyCommand,
  splitSymmetricValue,
} from './content/put-key.ts';
export type { KeyComponent, KeyEncoding, KeyEncryptor, PutKey, PutKeyBlock } from './content/put-key.ts';
export { encodeKeyGroupings, KEY_DGI, STORE_DATA, storeDataCommands } from './content/store-data.ts';
export type { KeyGroupingOptions, StoreDataOptions } from './content/store-data.ts';
export {
  decodeStatus,
  encodeStatusEntry,
  getStatusCommand,
  readRegistry,
  STATUS_SCOPE,
} from './content/get-status.ts';
export type { RegistryEntry, StatusScope } from './content/get-status.ts';
export {
  DATA_OBJECT,
  decodeKeyInformation,
  encodeKeyInformation,
  getDataCommand,
  readKeyInformation,
} from './content/get-data.ts';
export type { KeyInformation } from './content/get-data.ts';
export { DELETE_RELATED, deleteCommand, deleteKeyCommand } from './content/delete.ts';
export { SET_STATUS_SCOPE, setStatusCommand } from './content/set-status.ts';
export { decipherCode, encipherCode } from './content/ciphered-code.ts';
export type { CipheredCode, CodeKey } from './content/ciphered-code.ts';
export { decodeLoadFile, encodeLoadFile, loadCommands } from './content/load.ts';
export type { DapBlock, LoadFile } from './content/load.ts';

export { ecPoint, ecPublicKey, signGp, verifyGp } from './crypto/public-key.ts';
export type { SigningKey, VerificationKey } from './crypto/public-key.ts';
export { attachToken, coveredByToken, splitDeleteToken, tokenInput, withToken } from './delegation/tokens.ts';
export { decodeReceipt, encodeReceipt, verifyReceipt } from './delegation/receipts.ts';
export type { Confirmation, Receipt, ReceiptContext } from './delegation/receipts.ts';
export {
  CERTIFICATE_USAGE,
  decodeCertificate,
  encodeCertificate,
  encodeCertificateWith,
  certificateSerial,
  encodeAllowList,
  requireUsage,
  verifiedPoint,
  verifyCertificate,
} from './certificates/gp-certificate.ts';
export type { DecodedGpCertificate, GpCertificate } from './certificates/gp-certificate.ts';
export {
  decodeScenario3Parameters,
  deriveScenario3,
  encodeEphemeralKey,
  encodeScenario3Parameters,
  readScenario3Challenge,
  SCENARIO3_DGI,
  SCENARIO3_PARAMETER,
  Scenario3Agreement,
  scenario3CertificateCommand,
  scenario3Receipt,
  scenario3Signed,
} from './key-agreement/scenario3.ts';
export {
  decodeScenario2bParameters,
  encodeScenario2bParameters,
  openScenario2b,
  SCENARIO2B_DGI,
  scenario2bCommand,
  scenario2bReceipt,
  verifyScenario2bReceipt,
} from './key-agreement/scenario2b.ts';
export type { AuthorityKeys, Scenario2bParameters, Scenario2bTarget } from './key-agreement/scenario2b.ts';
export type { AgreedKeys, Scenario3Parameters } from './key-agreement/scenario3.ts';
export { decodeScp11Request, deriveScp11, encodeScp11Parameters } from './key-agreement/scp11.ts';
export type { Scp11Keys, Scp11Parameters, Scp11Variant } from './key-agreement/scp11.ts';
export { openScp11Session } from './key-agreement/scp11-session.ts';
export type { Scp11Options } from './key-agreement/scp11-session.ts';
