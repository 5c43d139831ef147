// The sign-up endpoint that contracts/express.toml describes, written the way its document reads: Express,
// express-validator 6, jsonwebtoken, SQLite. `vestibule contract prove` is tested on it.
//
//     PORT=3000 npm start            PORT=0, the default, takes a free port and prints it
//     PLANT=1..5 npm start           with one difference planted, see README.md
'use strict';

const { randomBytes } = require('node:crypto');
const bcrypt = require('bcryptjs');
const express = require('express');
const { body, validationResult } = require('express-validator');
const jwt = require('jsonwebtoken');
const initSqlJs = require('sql.js');

const PLANT = process.env.PLANT || '';
const ROUNDS = Number(process.env.BCRYPT_ROUNDS || 10);
const SECRET = process.env.JWT_SECRET || randomBytes(32).toString('hex');

const text = (field, message) => body(field, message).isString().bail();

const rules = [
  text('firstname', 'First name must be at least 3 characters long').isLength({ min: 3 }),
  body('lastname', 'Last name must be at least 3 characters long')
    .optional({ nullable: true })
    .isString()
    .bail()
    .isLength({ min: 3 }),
  text('email', PLANT === '3' ? 'Invalid value' : 'Invalid email').isEmail(),
  text('password', 'Password must be at least 6 characters long').isLength({ min: 6 }),
];

const problems = validationResult.withDefaults({
  formatter: ({ msg, param, location }) => ({ msg, param, location }),
});

// What the document leaves to "your global error handler": RFC 9457.
const problem = (response, status, title, detail) =>
  response.status(status).type('application/problem+json').send(JSON.stringify({ type: 'about:blank', title, status, detail }));

const jsonOrNothing = (request) => {
  const type = request.headers['content-type'];
  return type === undefined || /^application\/([\w.-]+\+)?json\s*(;|$)/i.test(type);
};

function register(db) {
  return async (request, response, next) => {
    try {
      const errors = problems(request);
      if (!errors.isEmpty()) {
        return response.status(400).json({ errors: errors.array() });
      }
      const { firstname, lastname, email, password } = request.body;
      const hash = await bcrypt.hash(password, ROUNDS);
      const now = new Date().toISOString();
      const user = { id: randomBytes(12).toString('hex'), firstname, lastname: lastname ?? undefined, email };
      try {
        db.run('INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?)', [
          user.id, firstname, lastname ?? null, email, hash, now, now,
        ]);
      } catch (error) {
        if (!/UNIQUE/.test(error.message)) throw error;
        return response
          .status(400)
          .json({ errors: [{ msg: 'E-mail already in use', param: 'email', location: 'body' }] });
      }
      const token = jwt.sign({ id: user.id }, SECRET, { expiresIn: PLANT === '4' ? '2h' : '1h' });
      const times = PLANT === '2' ? { created_at: now, updatedAt: now } : { createdAt: now, updatedAt: now };
      return response.status(PLANT === '1' ? 200 : 201).json({ token, user: { ...user, ...times } });
    } catch (error) {
      return next(error);
    }
  };
}

async function main() {
  const SQL = await initSqlJs();
  const db = new SQL.Database();
  db.run(`CREATE TABLE users (
    id TEXT PRIMARY KEY, firstname TEXT NOT NULL, lastname TEXT,
    email TEXT NOT NULL UNIQUE ${PLANT === '5' ? '' : 'COLLATE NOCASE'},
    password TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL)`);

  const app = express();
  app.disable('x-powered-by');
  app
    .route('/user/register')
    .post(
      (request, response, next) =>
        jsonOrNothing(request)
          ? next()
          : problem(response, 415, 'Unsupported Media Type', 'This content type is not accepted.'),
      express.json({ type: () => true }),
      (request, response, next) =>
        Array.isArray(request.body)
          ? problem(response, 400, 'Bad Request', 'The request could not be read.')
          : next(),
      rules,
      register(db),
    )
    .all((request, response) =>
      problem(response.set('Allow', 'POST'), 405, 'Method Not Allowed', 'This method is not allowed here.'),
    );
  app.use((error, request, response, next) => {
    if (response.headersSent) return next(error);
    if (error.type === 'entity.too.large') {
      return problem(response, 413, 'Payload Too Large', 'The request is too large.');
    }
    if (error.status >= 400 && error.status < 500) {
      return problem(response, 400, 'Bad Request', 'The request could not be read.');
    }
    console.error(error);
    return problem(response, 500, 'Internal Server Error', 'Something went wrong.');
  });

  const server = app.listen(Number(process.env.PORT || 0), '127.0.0.1', () => {
    console.log(`listening on http://127.0.0.1:${server.address().port}`);
  });
}

main();
