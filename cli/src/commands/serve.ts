import type { Command } from 'commander';
import type { Context } from '../context.ts';
import type { ServeOptions } from '../serve-process.ts';

export function addServe(program: Command, context: Context): void {
  program
    .command('serve')
    .description('Runs keyserver and relay in one process, with a store in a folder.')
    .option('--dev', 'to try it out: on this machine only, data in a temporary folder, anyone may register')
    .option('--data <dir>', 'the folder for what is stored')
    .option('--restored', 'the folder was put back from a copy: numbers begin anew, nothing is taken twice')
    .option('--host <address>', 'where to listen (127.0.0.1)')
    .option('--port <port>', 'for clients (7700); 0: a free one')
    .option('--admin-host <address>', 'where to listen for the operator (127.0.0.1)')
    .option('--admin-port <port>', '/livez, /readyz and /metrics (the port after --port); off: none')
    .option('--origin <urls>', 'what clients dial, as https://relay.example; several with commas between them')
    .option('--drain-seconds <s>', 'over what time a stop spreads the return of devices (10)')
    .option('--max-connections <n>', 'open sockets beyond which more are refused (10000)')
    .option('--trust-proxy <networks>', 'proxies whose X-Forwarded-For is believed, as 10.0.0.0/8 (none)')
    .option(
      '--requests-per-address <rate>',
      'HTTP requests of one address: at once, and more in an s, min, h or d (500+50/s)',
    )
    .option('--requests-in-all <rate>', 'HTTP requests of everybody (2000+1000/s)')
    .option('--registrations-per-address <rate>', 'new accounts from one address (1000+1/s)')
    .option('--registration <open|ticket>', 'who may register: anybody, or who has a ticket of your own backend (open)')
    .option('--ticket-issuer <text>', 'whose tickets let in: their claim iss')
    .option('--ticket-jwks <file or url>', 'the public keys that sign tickets: a JWKS file, or the https URL of one')
    .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent (info)')
    .option('--config <file>', 'a JSON file of settings; flags and WAXWING_* variables come before it')
    .action(async (options: ServeOptions) => {
      // Loaded here alone: the libraries of a server take as long to load as all the rest of this program.
      const { serve } = await import('../serve-process.ts');
      await serve(context, options);
    });
}
