// What node's HTTP parser (llhttp) reads in the messages on stdin, framed as for read_messages.c: JSON, a line for
// each.
'use strict';
process.noDeprecation = true;
const { HTTPParser, methods, allMethods } = process.binding('http_parser');
const HEAD_BYTES_MAX = 65536;

function read(kind, bytes) {
  const parser = new HTTPParser();
  const told = { messages: [], end: 'end', why: '', upgraded: false };
  let current = null, early = [], earlyTarget = '';
  const type = kind === 'q' ? HTTPParser.REQUEST : HTTPParser.RESPONSE;
  parser.initialize(type, {}, HEAD_BYTES_MAX, HTTPParser.kLenientNone);
  parser[HTTPParser.kOnHeaders | 0] = (fields, target) => { // of a head of more than 32 fields, or trailers
    (current === null ? early : current.trailers).push(...fields);
    earlyTarget = current === null ? earlyTarget + target : '';
  };
  parser[HTTPParser.kOnHeadersComplete | 0] = (major, minor, fields, method, target, status, reason, upgrade) => {
    current = { method: (allMethods || methods)[method], target: target === undefined ? earlyTarget : target, status,
    reason, minor, fields: early.concat(fields || []), body: [], trailers: [] };
    early = [];
    earlyTarget = '';
    told.upgraded = told.upgraded || !!upgrade;
    return kind === 'h' || (kind === 'g' && status < 200) ? 1 : 0; // no body; as node's http module answers
  };
  parser[HTTPParser.kOnBody | 0] = (piece) => { current.body.push(Buffer.from(piece)); };
  parser[HTTPParser.kOnMessageComplete | 0] = () => {
    current.body = Buffer.concat(current.body).toString('hex');
    told.messages.push(current);
    current = null;
  };
  const result = parser.execute(bytes);
  const ended = result instanceof Error ? result : (told.upgraded ? undefined : parser.finish());
  if (result instanceof Error) {
    told.end = 'bad';
    told.why = result.code + ' ' + result.reason;
  } else if (told.upgraded && current !== null && result < bytes.length) {
    told.end = 'bad'; // node keeps silent about errors behind the head of a request to upgrade
    told.why = 'an error in the body of a request to upgrade';
  } else if (ended instanceof Error || current !== null) {
    told.end = 'more';
  } else if (bytes.length > 0 && told.messages.length === 0) {
    told.end = 'more';
  }
  parser.close();
  return told;
}

const input = require('fs').readFileSync(0);
const lines = [];
for (let at = 0; at < input.length;) {
  const kind = String.fromCharCode(input[at]), length = input.readUInt32LE(at + 1);
  lines.push(JSON.stringify(read(kind, input.subarray(at + 5, at + 5 + length))));
  at += 5 + length;
}
process.stdout.write(lines.join('\n') + '\n');
