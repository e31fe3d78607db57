"""A model of upstream's method of exporting an organisation, for `make bench`. It is not Zulip's exporter.

It does what upstream's `manage.py export --threads 2` does with the rows, in the same order and the same portions, without
Django: ids of messages 10,000 at a time, the rows of 1,000 messages with one query, each row a dict; a file
`messages-NNNNNN.json.partial` for each thousand; then child processes that read each file back, fetch what users have of
its messages and write it again. Every other list is in memory as a whole before it is written. Packing the directory is
left to tar, as upstream does.

Which rows: a JSON file that the benchmark makes, so that the model, the plain COPY beside it and our own export have the
same.
"""

import argparse
import configparser
import datetime
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import psycopg
from psycopg.rows import dict_row

IDS_AT_ONCE = 10_000
MESSAGES_OF_A_FILE = 1_000

Row = dict[str, Any]


def connect(arguments: argparse.Namespace) -> psycopg.Connection[Row]:
    return psycopg.connect(
        arguments.database, autocommit=True, row_factory=dict_row, options="-c search_path=zulip,pg_catalog"
    )


def write(path: Path, value: Any) -> None:
    path.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def seconds_for_times(rows: list[Row]) -> list[Row]:
    """Puts seconds since 1970 in the place of every time."""
    if rows:
        # A column that is empty in the first row may have times in others.
        columns = {key for row in rows for key, value in row.items() if isinstance(value, datetime.datetime)}
        for row in rows:
            for column in columns:
                value = row[column]
                if value is not None:
                    row[column] = value.timestamp()
    return rows


def by_id(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row["id"])


class Export:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.output: Path = arguments.output
        self.rows: dict[str, Any] = orjson.loads(arguments.rows.read_bytes())
        self.realm: int = self.rows["realm"]
        self.database = connect(arguments)

    def fetch(self, query: str, *parameters: Any) -> list[Row]:
        return seconds_for_times(self.database.execute(query, parameters or None).fetchall())

    def whole(self, file: str, leave_out: tuple[str, ...] = ()) -> dict[str, list[Row]]:
        """All lists of a file but some."""
        lists = (table for table in self.rows["tables"] if table["file"] == file and table["key"] not in leave_out)
        return {table["key"]: by_id(self.fetch(f"{table['select']} WHERE {table['condition']}")) for table in lists}

    def of_messages(self, key: str, condition: str, ids: list[int]) -> list[Row]:
        """A list whose rows are found by the ids of all messages in one statement."""
        table = next(table for table in self.rows["tables"] if table["key"] == key)
        return by_id(self.fetch(f"{table['select']} WHERE {condition}", ids))

    def message_ids(self) -> list[int]:
        senders = [row["id"] for row in self.fetch("SELECT id FROM zerver_userprofile")]
        found: set[int] = set()
        last = 0
        query = (
            f"SELECT id FROM zerver_message WHERE realm_id = {self.realm} AND sender_id = ANY(%s) AND id > %s"
            f" ORDER BY id LIMIT {IDS_AT_ONCE}"
        )
        while batch := [row["id"] for row in self.fetch(query, senders, last)]:
            found.update(batch)
            last = batch[-1]
        return sorted(found)

    def write_partials(self, ids: list[int], users: list[int]) -> None:
        for number, start in enumerate(range(0, len(ids), MESSAGES_OF_A_FILE), start=1):
            chunk = ids[start : start + MESSAGES_OF_A_FILE]
            messages = self.fetch(f"{self.rows['messages']['select']} WHERE t.id = ANY(%s)", chunk)
            write(
                self.output / f"messages-{number:06}.json.partial",
                {"zerver_message": by_id(messages), "zerver_userprofile_ids": users, "realm_id": self.realm},
            )

    def copy_files(self, attachments: list[Row], users: list[Row], emoji: list[Row]) -> None:
        uploads: Path = self.arguments.uploads
        secrets = configparser.RawConfigParser()
        secrets.read(self.arguments.secrets)
        salt = secrets["secrets"]["avatar_salt"]
        avatars = []
        for user in users:
            if user["avatar_source"] != "G":
                name = hashlib.sha256(f"{user['id']}:{user['avatar_version']}:{salt}".encode()).hexdigest()[:40]
                avatars += [f"{self.realm}/{name}.{extension}" for extension in ("original", "png")]
        images = [f"{self.realm}/emoji/images/{row['file_name']}" for row in emoji if row["file_name"]]
        images += [image + ".original" for image in images]
        icons = sorted((uploads / f"avatars/{self.realm}/realm").glob("*"))
        self.copy("uploads", uploads / "files", [row["path_id"] for row in attachments])
        self.copy("avatars", uploads / "avatars", avatars)
        self.copy("emoji", uploads / "avatars", images)
        self.copy("realm_icons", uploads / "avatars", [str(icon.relative_to(uploads / "avatars")) for icon in icons])

    def copy(self, kind: str, source: Path, paths: list[str]) -> None:
        directory = self.output / kind
        directory.mkdir()
        records = []
        for path in paths:
            if not (source / path).exists():
                continue
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / path, target)
            status = target.stat()
            record = {"realm_id": self.realm, "path": path, "s3_path": path}
            records.append({**record, "size": status.st_size, "last_modified": status.st_mtime})
        write(directory / "records.json", sorted(records, key=lambda record: record["path"]))

    def run(self) -> None:
        self.output.mkdir()
        realm = self.whole("realm", leave_out=("zerver_reaction",))
        users = [row["id"] for row in realm["zerver_userprofile"]]
        ids = self.message_ids()
        self.write_partials(ids, users)
        realm["zerver_reaction"] = self.of_messages("zerver_reaction", "t.message_id = ANY(%s)", ids)
        write(self.output / "realm.json", realm)
        write(self.output / "analytics.json", self.whole("analytics"))
        attachments = self.of_messages(
            "zerver_attachment",
            "t.id IN (SELECT attachment_id FROM zerver_attachment_messages WHERE message_id = ANY(%s))",
            ids,
        )
        write(self.output / "attachment.json", {"zerver_attachment": attachments})
        self.copy_files(
            attachments, realm["zerver_userprofile"] + realm["zerver_userprofile_mirrordummy"], realm["zerver_realmemoji"]
        )
        children = [
            subprocess.Popen([sys.executable, __file__, *sys.argv[1:], "--child"])
            for _ in range(self.arguments.processes)
        ]
        # All of them are waited for, whatever the first says.
        if any([child.wait() for child in children]):
            sys.exit("a child process failed")

    def complete_partials(self) -> None:
        """A child's work: whoever renames a file has it."""
        query = f"{self.rows['user_messages']['select']} WHERE t.user_profile_id = ANY(%s) AND t.message_id = ANY(%s)"
        for partial in sorted(self.output.glob("messages-*.json.partial")):
            locked = partial.with_suffix(".locked")
            try:
                os.rename(partial, locked)
            except FileNotFoundError:
                continue
            content = orjson.loads(locked.read_bytes())
            messages = content["zerver_message"]
            rows = self.fetch(query, content["zerver_userprofile_ids"], [message["id"] for message in messages])
            write(partial.with_suffix(""), {"zerver_message": messages, "zerver_usermessage": by_id(rows)})
            locked.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True, help="in libpq's words")
    parser.add_argument("--rows", required=True, type=Path, help="the queries")
    parser.add_argument("--uploads", required=True, type=Path, help="LOCAL_UPLOADS_DIR")
    parser.add_argument("--secrets", required=True, type=Path, help="zulip-secrets.conf")
    parser.add_argument("--processes", default=2, type=int, help="upstream's --threads")
    parser.add_argument("--output", required=True, type=Path, help="the directory to write")
    parser.add_argument("--child", action="store_true", help="complete the partial files of --output")
    export = Export(parser.parse_args())
    if export.arguments.child:
        export.complete_partials()
    else:
        export.run()


if __name__ == "__main__":
    main()
