"""Keys of people's shards: destroying one makes every copy of that person's data unreadable, also in caches and backups.

A real person's key is random, wrapped by the installation's master key (RFC 3394). A synthetic person's key is derived
(HKDF, RFC 5869) from a published demo key, so that everyone gets the same bytes.
"""

from __future__ import annotations

import json

from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from bitface.dataset.files import write_atomically
from bitface.dataset.keyring.people_keys import PeopleKeys
from bitface.dataset.keyring.run_and_day_keys import RunAndDayKeys
from bitface.dataset.keyring.wrapped_keys import INDEX, MASTER, NEXT


class KeyStore(PeopleKeys, RunAndDayKeys):
    """The keys under `folder` (mode 0700): `master.key`, one file per real person, named by an HMAC of the id, one per day of kept
    predictions, and one per run whose gate has evidence of people.

    Nothing is created before the first real person is enrolled, the first prediction kept, or the first gate has decided. The methods for
    each kind of key are in `keyring`; here are those for all of them.
    """

    def rotate(self) -> int:
        """Wraps every key by a new master key; encrypted data are not touched. Returns how many keys were wrapped again.

        The new key is in place before the first key is wrapped by it, and the old one is removed last: if killed at any point, every
        key still opens, and the next call continues.

        Raises:
            InputError: the master key is kept elsewhere, and the next one is not given. IntegrityError: a key opens with neither.
        """
        self._master()
        with self._exclusive():
            return self._rotated(self._next())

    def _rotated(self, new: bytes) -> int:
        write_atomically(self._folder / INDEX, aes_key_wrap(new, self._index_secret()))
        count = 0
        for path in sorted((self._folder / "people").glob("*.json")):
            entry = json.loads(path.read_text(encoding="utf-8"))
            key = self._unwrapped(bytes.fromhex(entry["wrapped_key"]), f"person {path.stem}")
            write_atomically(path, json.dumps({**entry, "wrapped_key": aes_key_wrap(new, key).hex()}).encode())
            count += 1
        for day in self.days():
            key = self.key_of_day(day)
            write_atomically(self._day(day), aes_key_wrap(new, key).hex().encode())
            count += 1
        # The pictures of an interrupted import are then read again: cheaper than wrapping one more key.
        self.destroy_import()
        for run_id in sorted(self.sealed_runs()):
            key = self._key_in(self._evidence(run_id), run_id)
            write_atomically(self._evidence(run_id), aes_key_wrap(new, key).hex().encode())
            count += 1
        if not self._given():
            (self._folder / NEXT).replace(self._folder / MASTER)
        return count
