"""One verb through the package `zulip_backup`, as a script of an administrator's would call it.

    verb.py VERB FROM OUTPUT HOST DATABASE_URL

FROM is what the verb reads, OUTPUT what it writes; "-" where it does not.
"""

import sys

import zulip_backup

verb, source, output, root, database_url = sys.argv[1:]
site = zulip_backup.Site(root=root, database_url=database_url)


def heard(event: zulip_backup.ProgressEvent) -> None:
    """Somebody who listens costs something, too."""


match verb:
    case "create":
        zulip_backup.create(output=output, site=site, progress=heard)
    case "verify":
        zulip_backup.verify(source, progress=heard).raise_if_damaged()
    case "export":
        zulip_backup.export(source, output=output, no_record=True, site=site, progress=heard)
    case "validate":
        zulip_backup.validate(source, progress=heard)
    case _:
        sys.exit(f"there is no verb {verb}")
