// Solves the challenge on standard input and prints what the widget would put into its form field.
//
//     node solve.mjs FOLDER worker|widget       FOLDER holds node_modules
//
// "worker" is what the widgets of version 0 to 2 run; "widget" is version 3: its own worker, and its own two functions
// that read this kind of challenge and write the answer, cut out of its bundle because it exports neither.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, by] = process.argv.slice(2);
const packages = join(folder, 'node_modules');
const challenge = JSON.parse(readFileSync(0, 'utf8'));
const text = by === 'worker' ? await worker() : await widget();
process.stdout.write(text);

async function worker() {
  const file = join(packages, 'altcha-lib/dist/esm/v1/index.js');
  const { solveChallenge } = await import(pathToFileURL(file));
  const { algorithm, salt, maxnumber, signature } = challenge;
  const solution = await solveChallenge(challenge.challenge, salt, algorithm, maxnumber).promise;
  const { number, took } = solution;
  return btoa(JSON.stringify({ algorithm, challenge: challenge.challenge, number, salt, signature, took }));
}

async function widget() {
  const bundle = readFileSync(join(packages, 'altcha/dist/main/altcha.js'), 'utf8');
  const cut = (name) => new RegExp(`^( *)function ${name}\\([^]*?^\\1\\}`, 'm').exec(bundle)[0];
  const names = ['createChallengeFromV1', 'createPayloadV1'];
  const hex = 'const bufferToHex = (buffer) => Buffer.from(buffer).toString("hex");';
  const [read, write] = new Function(`${hex} ${names.map(cut).join('\n')} return [${names}];`)();
  const mine = read(challenge);
  const solution = await new Promise((solved) => {
    const self = { postMessage: solved };
    new Function('self', readFileSync(join(packages, 'altcha/dist/workers/sha.js'), 'utf8'))(self);
    self.onmessage({ data: { type: 'work', challenge: mine, counterMode: 'string', counterStart: 0, counterStep: 1 } });
  });
  return btoa(JSON.stringify(write(mine, solution)));
}
