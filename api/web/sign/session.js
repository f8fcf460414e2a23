// Who is here, in this window, and what they are about to sign.

import { empty } from "./screen.js";

export const session = {
  service: undefined,
  desk: undefined,
  catalogue: undefined,
  questions: undefined,
  entry: null,
  held: null, // what was asked for and is not recorded yet: a token can end while it is read
  read: null, // what is shown to be read and signed
  unsure: false, // a key in custody was asked for, and there was no answer
  sent: null, // what was signed and handed in without an answer: it may be recorded, or not
  registered: "", // the stream of who was registered just now
};

export function forget() {
  session.registered = "";
  [session.held, session.read, session.sent, session.unsure] = [null, null, null, false];
  empty();
}
