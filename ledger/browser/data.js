// The form of what a type says, by the JSON Schema that the vocabulary gives it (record-format.md §11).

const PATTERNS = new Map();

function pattern(text) {
  if (!PATTERNS.has(text)) PATTERNS.set(text, new RegExp(text, "u"));
  return PATTERNS.get(text);
}

const between = (number, least = -Infinity, most = Infinity) => number >= least && number <= most;

function isString(kind, value) {
  if (typeof value !== "string" || !between([...value].length, kind.minLength, kind.maxLength)) return false;
  if (kind.pattern !== undefined && !pattern(kind.pattern).test(value)) return false;
  if (kind.format === "date" && !(value.length === 10 && isTime(value, CLINICAL))) return false;
  if (kind.contentEncoding !== "base64") return true;
  try {
    return unbase64(value) !== null;
  } catch {
    return false;
  }
}

function isList(kind, value) {
  if (!Array.isArray(value) || !between(value.length, kind.minItems, kind.maxItems)) return false;
  if (kind.uniqueItems && new Set(value.map(canonical)).size !== value.length) return false;
  if (kind.prefixItems !== undefined) {
    return value.length === kind.prefixItems.length && kind.prefixItems.every((each, at) => isKind(each, value[at]));
  }
  return kind.items === undefined || value.every((each) => isKind(kind.items, each));
}

function isObject(kind, value) {
  return (
    isPlain(value) && kind.required.every((name) => Object.hasOwn(value, name)) &&
    Object.entries(value).every(([name, each]) => Object.hasOwn(kind.properties, name) && isKind(kind.properties[name], each))
  );
}

/* Whether a value is of a kind, by its place in the table. */
function isKind(place, value) {
  const kind = TABLES.kinds[place];
  if (kind.enum !== undefined) return kind.enum.includes(value);
  if (kind.type === "string") return isString(kind, value);
  if (kind.type === "integer") return Number.isInteger(value) && between(value, kind.minimum, kind.maximum);
  if (kind.type === "boolean") return typeof value === "boolean";
  if (kind.type === "array") return isList(kind, value);
  return kind.type !== "object" || isObject(kind, value);
}

/* Whether the value that is opened at a sealed path is of the kind that the type gives it. */
function isOpened(known, path, value) {
  if (path === "/reason/text") return value === null || (typeof value === "string" && between([...value].length, 1, 4000));
  const [kind, isNullable] = known?.sealedKinds[path] ?? [null, true];
  return kind === null || (isNullable && value === null) || isKind(kind, value);
}
