// better-auth's sign-up by e-mail and password, as its documentation sets it up, on PostgreSQL. Sessions are not asked
// for, and its limit on requests per client is off: all of a benchmark's requests come from one address.
//
//     PORT=3000 DATABASE_URL=postgres://... HASH=default|argon2 npm start
import { createServer } from 'node:http';
import argon2 from 'argon2';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler } from 'better-auth/node';
import pg from 'pg';

const { PORT = '3000', DATABASE_URL, HASH = 'default' } = process.env;

const passwords = {
  default: undefined,
  argon2: {
    hash: (password) =>
      argon2.hash(password, { type: argon2.argon2id, memoryCost: 19456, timeCost: 2, parallelism: 1 }),
    verify: ({ hash, password }) => argon2.verify(hash, password),
  },
};

const options = {
  database: new pg.Pool({ connectionString: DATABASE_URL }),
  baseURL: `http://127.0.0.1:${PORT}`,
  secret: 'a secret for measuring, 32 bytes or more',
  emailAndPassword: { enabled: true, autoSignIn: false, password: passwords[HASH] },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
};

const { runMigrations } = await getMigrations(options);
await runMigrations();
const handler = toNodeHandler(betterAuth(options));
createServer((request, response) => {
  if (request.url === '/healthz') return response.end('ok');
  return handler(request, response);
}).listen(Number(PORT), '127.0.0.1');
