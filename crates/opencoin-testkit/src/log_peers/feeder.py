"""Submits a checkpoint to a witness with the client of aics-witness, which also checks the witness's answers.

Arguments: the witness's URL, its vkey, and the file in which the client remembers what the witness has cosigned.

Standard input: "fixed SIZE" or "entries"; then lines of a dot and a hexadecimal number; an empty line; the signed
checkpoint. The numbers are the hashes of a consistency proof from this size, or the entries of the tree, of which the
client makes its own proofs.

The cosignature lines go to standard output. If the client refuses, the exit code is 1 and the first line of standard
error is the name of its exception.
"""

import sys

from aics_tlog import MerkleTree
from aics_witness.feeder import FeederError, WitnessClient


def main() -> int:
    url, vkey, state = sys.argv[1:]
    head, _, note = sys.stdin.buffer.read().decode().partition("\n\n")
    kind, *lines = head.split("\n")
    numbers = [bytes.fromhex(line.removeprefix(".")) for line in lines]
    if kind == "entries":
        proof = MerkleTree(numbers).consistency_proof
    else:
        proof = (int(kind.removeprefix("fixed ")), numbers)
    try:
        with WitnessClient(url, vkey, state_path=state) as client:
            sys.stdout.write(client.submit(note, proof))
    except FeederError as error:
        print(f"{type(error).__name__}\n{error}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
