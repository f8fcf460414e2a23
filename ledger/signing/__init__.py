"""Signing: where private keys are held, and how a person comes to a signature.

`port` and its adapters hold the keys of the log, of the service and of documents. `client` signs on the
signer's own machine, `passkeys` takes a browser's passkey for enrolment, `custody` unlocks a key that the
service holds for one signature, and `desk` keeps what waits for a further signature.
"""
