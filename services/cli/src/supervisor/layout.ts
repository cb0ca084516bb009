import { resolve } from 'node:path';
import { booleanSetting, portSetting, readSettings, textSetting, type SettingValues } from '@sefleet/config';
import { freePort } from './free-ports.ts';

/** The services in the order in which they are stopped: devices first, their backend last. */
export const SERVICE_NAMES = ['device-sim', 'lwm2m-server', 'provisioning', 'analytics'] as const;

/** One of the four service processes. */
export type ServiceName = (typeof SERVICE_NAMES)[number];

/** Where everything listens and where it is kept. */
export const LAYOUT_SETTINGS = {
  dataFolder: textSetting({
    env: 'SEFLEET_DATA',
    doc: 'folder for everything that is kept',
    default: './.sefleet',
  }),
  lwm2mPort: portSetting({
    env: 'SEFLEET_LWM2M_PORT',
    doc: 'UDP port of the LwM2M server (coaps)',
    default: 5684,
  }),
  bootstrapPort: portSetting({
    env: 'SEFLEET_BOOTSTRAP_PORT',
    doc: 'UDP port of the LwM2M bootstrap server (coaps)',
    default: 5784,
  }),
  tcp: booleanSetting({
    env: 'SEFLEET_LWM2M_TCP',
    doc: 'whether the LwM2M servers are reached over TCP as well, on the same port numbers',
    default: true,
  }),
  plainEndpoints: textSetting({
    env: 'SEFLEET_LWM2M_PLAIN_ENDPOINTS',
    doc: 'endpoint names that may come without security, as the LwM2M server takes them; empty: none',
    default: '',
  }),
  plainPort: portSetting({
    env: 'SEFLEET_LWM2M_PLAIN_PORT',
    doc: 'UDP port of the LwM2M server without security (coap)',
    default: 5683,
  }),
  plainBootstrapPort: portSetting({
    env: 'SEFLEET_BOOTSTRAP_PLAIN_PORT',
    doc: 'UDP port of the bootstrap server without security (coap)',
    default: 5783,
  }),
  mqttPort: portSetting({
    env: 'SEFLEET_MQTT_PORT',
    doc: 'TCP port of the MQTT broker (mqtts)',
    default: 8883,
  }),
  racsPort: portSetting({ env: 'SEFLEET_RACS_PORT', doc: 'TCP port of the RACS server', default: 7777 }),
  mqttUrl: textSetting({
    env: 'SEFLEET_MQTT_URL',
    doc: 'URL of an MQTT broker of your own; empty: the embedded one',
    default: '',
  }),
  consolePort: portSetting({
    env: 'SEFLEET_CONSOLE_PORT',
    doc: 'TCP port of the web console',
    default: 8080,
  }),
  provisioningGrpcPort: portSetting({
    env: 'SEFLEET_PROVISIONING_GRPC_PORT',
    doc: 'gRPC port of provisioning',
    default: 50_051,
  }),
  lwm2mGrpcPort: portSetting({
    env: 'SEFLEET_LWM2M_GRPC_PORT',
    doc: 'gRPC port of the LwM2M server',
    default: 50_052,
  }),
  analyticsGrpcPort: portSetting({
    env: 'SEFLEET_ANALYTICS_GRPC_PORT',
    doc: 'gRPC port of analytics, the door for dashboards',
    default: 50_053,
  }),
  simulationGrpcPort: portSetting({
    env: 'SEFLEET_SIMULATION_GRPC_PORT',
    doc: 'gRPC port of the device simulator',
    default: 50_054,
  }),
} as const;

/** The devices of our fleets, as `SEFLEET_LWM2M_PLAIN_ENDPOINTS` names them. */
export const FLEET_NAMES =
  'smart-meter=urn:dev:sefleet:meter-* obu=urn:dev:sefleet:obu-* rpm-gateway=urn:dev:sefleet:gateway-*';

/** The names that the environment lists, and those of our fleets besides. */
export function withFleetNames(plainEndpoints: string): string {
  return `${plainEndpoints} ${FLEET_NAMES}`.trim();
}

/** The values of {@link LAYOUT_SETTINGS}. */
export type Layout = SettingValues<typeof LAYOUT_SETTINGS>;

/** The layout of `sefleet up`: from the environment, with the documented defaults. */
export function readLayout(environment: Readonly<Record<string, string | undefined>>): Layout {
  return readSettings(LAYOUT_SETTINGS, environment);
}

/** The PKI folder of a layout. */
export function pkiFolder(layout: Layout): string {
  return resolve(layout.dataFolder, 'pki');
}

/** The same layout with every port a free one, so that a demo never collides with what runs already. */
export async function onFreePorts(layout: Layout): Promise<Layout> {
  const [lwm2mPort = 0, bootstrapPort = 0, plainPort = 0, plainBootstrapPort = 0] = await Promise.all(
    Array.from({ length: 4 }, () => freePort('device')),
  );
  const tcp = await Promise.all(Array.from({ length: 7 }, () => freePort('tcp')));
  const [
    mqttPort = 0,
    consolePort = 0,
    provisioning = 0,
    lwm2m = 0,
    analytics = 0,
    simulation = 0,
    racsPort = 0,
  ] = tcp;
  return {
    ...layout,
    lwm2mPort,
    bootstrapPort,
    plainPort,
    plainBootstrapPort,
    mqttPort,
    consolePort,
    racsPort,
    provisioningGrpcPort: provisioning,
    lwm2mGrpcPort: lwm2m,
    analyticsGrpcPort: analytics,
    simulationGrpcPort: simulation,
  };
}

/** What one service finds in its environment beside what was there. */
export function serviceEnvironment(layout: Layout, name: ServiceName): Record<string, string> {
  const target = (port: number): string => `127.0.0.1:${port}`;
  const grpcPorts: Readonly<Record<ServiceName, number>> = {
    provisioning: layout.provisioningGrpcPort,
    'lwm2m-server': layout.lwm2mGrpcPort,
    analytics: layout.analyticsGrpcPort,
    'device-sim': layout.simulationGrpcPort,
  };
  const environment: Record<string, string> = {
    SEFLEET_DATA: resolve(layout.dataFolder),
    SEFLEET_PKI: pkiFolder(layout),
    SEFLEET_GRPC_PORT: String(grpcPorts[name]),
    SEFLEET_LWM2M_PORT: String(layout.lwm2mPort),
    SEFLEET_BOOTSTRAP_PORT: String(layout.bootstrapPort),
    SEFLEET_LWM2M_TCP: String(layout.tcp),
    SEFLEET_LWM2M_PLAIN_ENDPOINTS: layout.plainEndpoints,
    SEFLEET_LWM2M_PLAIN_PORT: String(layout.plainPort),
    SEFLEET_BOOTSTRAP_PLAIN_PORT: String(layout.plainBootstrapPort),
    SEFLEET_MQTT_PORT: String(layout.mqttPort),
    SEFLEET_RACS_PORT: String(layout.racsPort),
    SEFLEET_CONSOLE_PORT: String(layout.consolePort),
    SEFLEET_LWM2M_URI: `coaps://127.0.0.1:${layout.lwm2mPort}`,
    SEFLEET_BOOTSTRAP_URI: `coaps://127.0.0.1:${layout.bootstrapPort}`,
    SEFLEET_PROVISIONING_TARGET: target(layout.provisioningGrpcPort),
    SEFLEET_LWM2M_TARGET: target(layout.lwm2mGrpcPort),
    SEFLEET_ANALYTICS_TARGET: target(layout.analyticsGrpcPort),
    SEFLEET_SIMULATION_TARGET: target(layout.simulationGrpcPort),
  };
  // Provisioning orders no devices without security where the servers let none in.
  if (layout.plainEndpoints !== '') {
    environment['SEFLEET_LWM2M_PLAIN_URI'] = `coap://127.0.0.1:${layout.plainPort}`;
  }
  // Analytics runs the broker itself unless it is told the URL of another one; then all use that one.
  if (layout.mqttUrl !== '') environment['SEFLEET_MQTT_URL'] = layout.mqttUrl;
  else if (name !== 'analytics') environment['SEFLEET_MQTT_URL'] = `mqtts://127.0.0.1:${layout.mqttPort}`;
  return environment;
}
