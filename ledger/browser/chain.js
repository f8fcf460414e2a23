// Order and linkage: index, time, stream labels, seq and prev, and what a signer says to have seen (§2, §4).

class Chain {
  constructor(tree) {
    this.tree = tree;
    this.size = 0;
    this.at = "";
    this.heads = new Map(); // tag -> {seq, event, stream, site, hidden}
    this.tags = new Map(); // stream -> tag
    this.seen = new Map(); // key -> size
    this.restricted = new Set(); // tags of withheld leaves of class `restricted`, whose stream nothing shows yet
  }

  head(tag) {
    return this.heads.get(tag) ?? { seq: 0, event: ZERO_HASH, stream: null, site: null, hidden: false };
  }

  static takes(head, site) {
    if (head.site === null || site === head.site) return true;
    return head.hidden && head.stream !== null && head.stream.startsWith("participant/");
  }

  /* Yield what breaks order or linkage at this entry, as refusals. */
  async check(index, leaf, statement, isShown) {
    const found = [];
    const bad = (code, detail) => found.push(new Refusal(code, detail));
    if (leaf.index !== index) bad("INDEX", `expected index ${index}, got ${leaf.index}`);
    if (leaf.at < this.at) bad("AT", "recorded earlier than the leaf before it");
    const head = this.head(leaf.stream);
    if (statement === null && isShown) return found;
    if (statement === null) {
      if (!Chain.takes(head, leaf.site)) bad("LABELS", "withheld, and of a site that is not its stream's");
      if (leaf.class === "restricted" && head.stream === null) {
        this.restricted.add(leaf.stream);
      } else if (head.stream !== null && (leaf.class === "restricted") !== isRestricted(head.stream)) {
        bad("LABELS", "withheld, and of a class that its stream does not have");
      }
      // A participant's statement has a site; any other open one follows a control one in its stream.
      if (leaf.class === "open" && leaf.site === "" && head.stream === null) {
        bad("LABELS", "withheld, without a site, and of no stream that can be so");
      }
      return found;
    }
    const labels = [statement.class, statement.site ?? "", statement.tag, TABLES.payloadType];
    if ([leaf.class, leaf.site, leaf.stream, leaf.payload_type].some((label, at) => label !== labels[at])) {
      bad("LABELS", "class, site, stream or payload type of the leaf are not the statement's");
    }
    if (this.restricted.has(statement.tag) && !isRestricted(statement.stream)) {
      bad("LABELS", "withheld leaves have a class that the stream lacks");
    }
    const known = this.tags.get(statement.stream);
    if (known !== undefined && known !== statement.tag) bad("TWO_TAGS", "the stream has another tag");
    const own = this.head(statement.tag);
    if (own.stream !== null && own.stream !== statement.stream) bad("TAG", "the tag is another stream's");
    if (!isSalted(statement.stream) && statement.tag !== (await streamTag(statement.stream, new Uint8Array(32)))) {
      bad("TAG", "not the tag of a stream without a salt");
    }
    if (statement.seq !== own.seq + 1) bad("SEQ", `expected seq ${own.seq + 1}, got ${statement.seq}`);
    if (statement.prev !== own.event) bad("PREV", "prev is not the stream's newest event");
    if (!Chain.takes(own, statement.site ?? null)) bad("SITE", "not the site of the stream");
    await this.#checkSeen(index, statement, bad);
    return found;
  }

  async #checkSeen(index, statement, bad) {
    const { size, root } = statement.seen;
    if (size < Math.min(1, index) || size > index) {
      bad("SEEN_SIZE", "a tree that did not exist yet, or nothing");
      return;
    }
    if (base64(await this.tree.rootAt(size)) !== root) bad("SEEN_ROOT", "not the log's root at that size");
    const refs = [statement.key, ...(statement.with ?? [])];
    if (refs.some((ref) => size < (this.seen.get(ref.id) ?? 0))) {
      bad("SEEN_BACK", "the key had seen a larger tree before");
    }
  }

  advance(leaf, statement) {
    this.size += 1;
    this.at = leaf.at;
    const before = this.head(leaf.stream);
    const next = { seq: before.seq + 1, event: leaf.statement, stream: before.stream, site: before.site, hidden: true };
    if (statement === null) {
      if (before.site !== null && Chain.takes(before, leaf.site)) next.site = leaf.site;
    } else {
      const site = statement.site ?? null;
      const transfer = statement.type === "participant.transferred" ? statement.data.to : null;
      next.stream = statement.stream;
      next.hidden = false;
      next.site = typeof transfer === "string" ? transfer : Chain.takes(before, site) ? site : before.site;
      if (!this.tags.has(statement.stream)) this.tags.set(statement.stream, leaf.stream);
      for (const ref of [statement.key, ...(statement.with ?? [])]) {
        this.seen.set(ref.id, Math.max(this.seen.get(ref.id) ?? 0, statement.seen.size));
      }
    }
    this.heads.set(leaf.stream, next);
  }
}
