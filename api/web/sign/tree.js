// The log's head, and that it continues the head that this browser has (RFC 9162 §2.1.4.2).

import { base64, nodeHash, same, unbase64 } from "./encoding.js";

// Origin, size and root of a head's note. Its signature is judged by whoever holds the trust policy.
export function readHead(note) {
  const [origin, size, root] = note.split("\n");
  if (!/^(0|[1-9][0-9]{0,14})$/.test(size)) throw new Error("the head has no size");
  return { origin, size: Number(size), root };
}

export async function checkConsistency(old, now, proof) {
  const path = proof.map(unbase64);
  if (old.size > now.size) throw new Error("the log is shorter than when you last signed");
  if (old.size === now.size) {
    if (old.root !== now.root || path.length) throw new Error("the log differs from the one that you last signed");
    return;
  }
  if (old.size === 0) return;
  const first = unbase64(old.root);
  if ((old.size & (old.size - 1)) === 0) path.unshift(first);
  let [one, two] = [old.size - 1, now.size - 1];
  while (one % 2 === 1) [one, two] = [Math.floor(one / 2), Math.floor(two / 2)];
  if (!path.length) throw new Error("the log does not prove that it continues");
  let [before, after] = [path[0], path[0]];
  for (const hash of path.slice(1)) {
    if (two === 0) throw new Error("the log does not prove that it continues");
    if (one % 2 === 1 || one === two) {
      before = await nodeHash(hash, before);
      after = await nodeHash(hash, after);
      while (one % 2 === 0 && one !== 0) [one, two] = [one / 2, Math.floor(two / 2)];
    } else {
      after = await nodeHash(after, hash);
    }
    [one, two] = [Math.floor(one / 2), Math.floor(two / 2)];
  }
  if (two !== 0 || !same(before, first) || base64(after) !== now.root) {
    throw new Error("the log does not continue the one that you last signed");
  }
}

const place = (origin) => `have ${origin}`;

export function have(origin) {
  const kept = localStorage.getItem(place(origin));
  return kept === null ? null : JSON.parse(kept);
}

export function keep(origin, head) {
  const kept = have(origin);
  if (kept === null || kept.size < head.size) {
    localStorage.setItem(place(origin), JSON.stringify({ root: head.root, size: head.size }));
  }
}
