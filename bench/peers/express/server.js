// A sign-up endpoint as a careful Express developer writes it: validate, hash off the event loop, let the database's
// unique index decide, answer 201. Two cluster workers, PostgreSQL.
//
//     PORT=3000 DATABASE_URL=postgres://... HASH=argon2|node-rs|bcrypt npm start
'use strict';

const cluster = require('node:cluster');
const { Pool } = require('pg');

const { PORT = '3000', DATABASE_URL, HASH = 'argon2' } = process.env;
const WORKERS = 2;

// 19 MiB, two passes, one lane: the least that OWASP recommends. bcrypt has the cost that its documentation shows.
const hashers = {
  argon2: () => {
    const argon2 = require('argon2');
    return (password) => argon2.hash(password, { type: argon2.argon2id, memoryCost: 19456, timeCost: 2, parallelism: 1 });
  },
  'node-rs': () => {
    const { hash, Algorithm } = require('@node-rs/argon2');
    const options = { algorithm: Algorithm.Argon2id, memoryCost: 19456, timeCost: 2, parallelism: 1 };
    return (password) => hash(password, options);
  },
  bcrypt: () => {
    const bcrypt = require('bcrypt');
    return (password) => bcrypt.hash(password, 10);
  },
};

const ADDRESS = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;

function problems({ email, password, name }) {
  const errors = [];
  if (typeof email !== 'string' || email.length > 254 || !ADDRESS.test(email)) {
    errors.push({ field: 'email', message: 'must be a valid e-mail address' });
  }
  if (typeof password !== 'string' || password.length < 8 || Buffer.byteLength(password) > 1024) {
    errors.push({ field: 'password', message: 'must be at least 8 characters long' });
  }
  if (typeof name !== 'string' || name.length < 1 || name.length > 255) {
    errors.push({ field: 'name', message: 'is required' });
  }
  return errors;
}

async function createTable() {
  const pool = new Pool({ connectionString: DATABASE_URL, max: 1 });
  await pool.query(`CREATE TABLE IF NOT EXISTS users (
    id bigserial PRIMARY KEY, email text NOT NULL, name text NOT NULL, password text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now())`);
  await pool.query('CREATE UNIQUE INDEX IF NOT EXISTS users_email ON users (lower(email))');
  await pool.end();
}

function serve() {
  const express = require('express');
  const hash = hashers[HASH]();
  const pool = new Pool({ connectionString: DATABASE_URL });
  pool.on('error', (error) => console.error(error));
  const app = express();
  app.disable('x-powered-by');
  app.use(express.json({ limit: '64kb' }));

  app.post('/users', async (request, response) => {
    const body = request.body ?? {};
    const errors = problems(body);
    if (errors.length > 0) return response.status(400).json({ errors });
    const { email, name } = body;
    // A taken address costs one look-up and no hash; the index decides all the same.
    const known = await pool.query('SELECT 1 FROM users WHERE lower(email) = lower($1)', [email]);
    if (known.rowCount > 0) return response.status(409).json({ errors: [{ field: 'email', message: 'is taken' }] });
    const password = await hash(body.password);
    try {
      const { rows } = await pool.query(
        'INSERT INTO users (email, name, password) VALUES ($1, $2, $3) RETURNING id, email, name, created_at',
        [email, name, password],
      );
      return response.status(201).json(rows[0]);
    } catch (error) {
      if (error.code !== '23505') throw error;
      return response.status(409).json({ errors: [{ field: 'email', message: 'is taken' }] });
    }
  });
  app.get('/healthz', (request, response) => response.send('ok'));
  app.use((error, request, response, next) => {
    if (response.headersSent) return next(error);
    const status = error.status >= 400 && error.status < 500 ? error.status : 500;
    if (status === 500) console.error(error);
    return response.status(status).json({ errors: [{ message: 'the request could not be handled' }] });
  });
  app.listen(Number(PORT), '127.0.0.1');
}

if (cluster.isPrimary) {
  createTable().then(
    () => {
      for (let n = 0; n < WORKERS; n++) cluster.fork();
    },
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
} else {
  serve();
}
