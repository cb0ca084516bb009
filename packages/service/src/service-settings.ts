import { choiceSetting, portSetting, textSetting } from '@sefleet/config';

/** What every service process can be told. */
export const SERVICE_SETTINGS = {
  logLevel: choiceSetting({
    env: 'SEFLEET_LOG_LEVEL',
    doc: 'how much is logged',
    choices: ['silent', 'error', 'warn', 'info', 'debug', 'trace'],
    default: 'info',
  }),
  dataFolder: textSetting({
    env: 'SEFLEET_DATA',
    doc: 'folder for everything that is kept',
    default: './.sefleet',
  }),
  pkiFolder: textSetting({
    env: 'SEFLEET_PKI',
    doc: 'folder with the local authority and the certificates',
    default: './.sefleet/pki',
  }),
  certificateName: textSetting({
    env: 'SEFLEET_CERTIFICATE',
    doc: 'whose certificate of the PKI folder it uses; its own name when empty',
    default: '',
  }),
  grpcAddress: textSetting({ env: 'SEFLEET_GRPC_ADDRESS', doc: 'where gRPC listens', default: '127.0.0.1' }),
  grpcPort: portSetting({
    env: 'SEFLEET_GRPC_PORT',
    doc: 'where gRPC listens; 0 takes a free port',
    default: 0,
  }),
} as const;
