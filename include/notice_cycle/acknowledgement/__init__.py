"""Acknowledgement 受領確認: the same bytes arrived, the passphrase went another way, the same counts came out."""
