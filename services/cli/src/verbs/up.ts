import { resolve } from 'node:path';
import type { Verb, VerbArguments } from '../command-line.ts';
import { EXIT_CODES, type ExitCode } from '../exit-codes.ts';
import { readLayout, withFleetNames } from '../supervisor/layout.ts';
import { startServices } from '../supervisor/supervisor.ts';

export const up: Verb = {
  name: 'up',
  summary: 'start all services and keep them running until Ctrl-C',
  options: {
    data: {
      type: 'string',
      value: 'folder',
      doc: 'where everything is kept (default ./.sefleet, or SEFLEET_DATA)',
    },
    plain: {
      type: 'boolean',
      doc: 'lets the devices of our fleets in without security as well (coap, coap+tcp)',
    },
    'log-level': { type: 'string', value: 'level', default: 'info', doc: 'log level of the services' },
    json: { type: 'boolean', doc: 'one JSON line for what is ready' },
  },
  examples: [
    'sefleet up',
    'SEFLEET_LWM2M_PORT=15684 SEFLEET_CONSOLE_PORT=9090 sefleet up --data /var/lib/sefleet',
  ],
  run: runVerb,
};

async function runVerb(parsed: VerbArguments): Promise<ExitCode> {
  const fromEnvironment = readLayout(process.env);
  const layout = {
    ...fromEnvironment,
    dataFolder: resolve(parsed.text('data') ?? fromEnvironment.dataFolder),
    ...(parsed.flag('plain') ? { plainEndpoints: withFleetNames(fromEnvironment.plainEndpoints) } : {}),
  };
  const interrupted = Promise.withResolvers<void>();
  process.once('SIGINT', () => interrupted.resolve());
  process.once('SIGTERM', () => interrupted.resolve());
  const supervisor = await startServices({
    layout,
    logLevel: parsed.text('log-level') ?? 'info',
    onEvent: (event) => {
      if (event.kind === 'ready') console.error(`${event.service} ready`);
      else console.error(`restarting ${event.service} in ${event.delayMs} ms: ${event.reason}`);
    },
  });
  const endpoints = {
    console: `http://127.0.0.1:${layout.consolePort}/`,
    lwm2m: `coaps://127.0.0.1:${layout.lwm2mPort}`,
    ...(layout.plainEndpoints === '' ? {} : { plain: `coap://127.0.0.1:${layout.plainPort}` }),
    bootstrap: `coaps://127.0.0.1:${layout.bootstrapPort}`,
    mqtt: layout.mqttUrl === '' ? `mqtts://127.0.0.1:${layout.mqttPort}` : layout.mqttUrl,
    racs: `127.0.0.1:${layout.racsPort}`,
    grpc: `127.0.0.1:${layout.analyticsGrpcPort}`,
    northbound: `127.0.0.1:${layout.lwm2mGrpcPort}`,
    data: layout.dataFolder,
    pids: Object.fromEntries(supervisor.pids()),
  };
  if (parsed.flag('json')) console.log(JSON.stringify(endpoints));
  else {
    const lines = Object.entries(endpoints).filter(([name]) => name !== 'pids');
    console.log(
      lines.map(([name, value]) => `${name.padEnd(10)} ${JSON.stringify(value).slice(1, -1)}`).join('\n'),
    );
    console.log('Ctrl-C stops everything.');
  }
  try {
    await Promise.race([interrupted.promise, supervisor.failed.then((error) => Promise.reject(error))]);
    return EXIT_CODES.passed;
  } finally {
    await supervisor.stop();
  }
}
