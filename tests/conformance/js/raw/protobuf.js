// The few protobuf messages that mobile SDKs exchange, written by hand from the field numbers of
// the protocol: an encoder of the SDK's own would hide what is on the wire.

function varint(value) {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

const number = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);

function bytes(field, value) {
  const body = Buffer.from(value);
  return Buffer.concat([varint((field << 3) | 2), varint(body.length), body]);
}

const delimited = (message) => Buffer.concat([varint(message.length), message]);

/** Command{id, connect{data, subs, name}}. `recover`: {channel, epoch, offset}. */
export function connectCommand({ id, data, name, recover }) {
  const subscription = recover && [
    bytes(1, recover.channel),
    bytes(2, Buffer.concat([number(3, 1), bytes(6, recover.epoch), number(7, recover.offset)])),
  ];
  const request = [
    bytes(2, data),
    ...(subscription ? [bytes(3, Buffer.concat(subscription))] : []),
    bytes(4, name),
  ];
  return delimited(Buffer.concat([number(1, id), bytes(4, Buffer.concat(request))]));
}

/** An empty command. */
export const PONG = Buffer.from([0]);

/** Messages of one binary frame. */
export function replies(frame) {
  const found = [];
  for (let rest = frame; rest.length > 0; ) {
    const { value: length, size } = readVarint(rest);
    found.push(reply(rest.subarray(size, size + Number(length))));
    rest = rest.subarray(size + Number(length));
  }
  return found;
}

function reply(message) {
  if (message.length === 0) return { ping: true };
  const fields = read(message);
  const error = fields.get(2)?.[0];
  const push = fields.get(4)?.[0];
  const connect = fields.get(5)?.[0];
  return {
    id: Number(fields.get(1)?.[0] ?? 0),
    ...(error && { error: errorOf(read(error)) }),
    ...(push && { push: pushOf(read(push)) }),
    ...(connect && { connect: connectOf(read(connect)) }),
  };
}

const text = (fields, field) => fields.get(field)?.[0].toString() ?? '';
const whole = (fields, field) => Number(fields.get(field)?.[0] ?? 0);

function errorOf(fields) {
  return { code: whole(fields, 1), message: text(fields, 2), temporary: whole(fields, 3) === 1 };
}

function pushOf(fields) {
  const kinds = [...fields.keys()].filter((field) => field !== 2);
  const pub = fields.get(4)?.[0];
  return {
    channel: text(fields, 2),
    kinds,
    ...(pub && { pub: publicationOf(pub) }),
  };
}

function publicationOf(message) {
  const fields = read(message);
  return { data: text(fields, 4), offset: whole(fields, 6) };
}

function connectOf(fields) {
  const subs = {};
  for (const entry of fields.get(6) ?? []) {
    const pair = read(entry);
    const result = read(pair.get(2)?.[0] ?? Buffer.alloc(0));
    subs[text(pair, 1)] = {
      recoverable: whole(result, 3) === 1,
      epoch: text(result, 6),
      publications: (result.get(7) ?? []).map(publicationOf),
      recovered: whole(result, 8) === 1,
      offset: whole(result, 9),
      positioned: whole(result, 10) === 1,
    };
  }
  return {
    client: text(fields, 1),
    expires: whole(fields, 3) === 1,
    ttl: whole(fields, 4),
    subs,
    ping: whole(fields, 7),
    pong: whole(fields, 8) === 1,
  };
}

/** Field number to its values: numbers as BigInt, the rest as bytes. */
function read(message) {
  const fields = new Map();
  for (let rest = message; rest.length > 0; ) {
    const tag = readVarint(rest);
    rest = rest.subarray(tag.size);
    const [field, type] = [Number(tag.value >> 3n), Number(tag.value & 7n)];
    const first = readVarint(rest);
    rest = rest.subarray(first.size);
    let value = first.value;
    if (type === 2) {
      value = rest.subarray(0, Number(first.value));
      rest = rest.subarray(Number(first.value));
    } else if (type !== 0) {
      throw new Error(`wire type ${type}`);
    }
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}

function readVarint(buffer) {
  let value = 0n;
  for (let size = 0; size < 10; size += 1) {
    if (size >= buffer.length) throw new Error('a varint that breaks off');
    value |= BigInt(buffer[size] & 0x7f) << BigInt(7 * size);
    if (!(buffer[size] & 0x80)) return { value, size: size + 1 };
  }
  throw new Error('a varint of more than ten bytes');
}
