"""Storage read again, in steps: what `fsck` does at once and the service all day (`walk.Walk`).

entries    statement → leaf → columns → order, linkage and `seen` → guards that the log gives
tree       leaf hashes → tile hashes → signed heads → published checkpoints
sealed     disclosures, erasures and data keys; attachments; slots of randomization lists
beside     streams, guard rows, lines of witnesses, and rows that belong to nothing
"""
