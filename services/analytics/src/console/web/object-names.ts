/** Names of the objects that sefleet's devices register (OMA LwM2M registry, and our own). */
const NAMES: Readonly<Record<string, string>> = {
  0: 'LwM2M Security',
  1: 'LwM2M Server',
  2: 'Access Control',
  3: 'Device',
  4: 'Connectivity Monitoring',
  5: 'Firmware Update',
  6: 'Location',
  7: 'Connectivity Statistics',
  19: 'BinaryAppDataContainer',
  21: 'OSCORE',
  25: 'LwM2M Gateway',
  3300: 'Generic Sensor',
  3303: 'Temperature',
  3305: 'Power Measurement',
  3313: 'Accelerometer',
  3316: 'Voltage',
  3317: 'Current',
  3328: 'Power',
  3330: 'Distance',
  3331: 'Energy',
  3336: 'Location (GPS)',
  3346: 'Rate',
  30000: 'APDU Exchange',
  30001: 'Sealed Records',
  30002: 'Supply Contract',
};

/** What an object or instance path stands for, or nothing when the object is not one of these. */
export function objectName(path: string): string {
  return NAMES[path.split('/')[1] ?? ''] ?? '';
}
