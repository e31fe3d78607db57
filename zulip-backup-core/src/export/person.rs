//! Finding the user whose data alone is exported.

use postgres::Client;

use crate::export::PlannedUser;
use crate::postgres::{column, error};
use crate::realm::Realm;
use crate::{Error, ErrorKind, Result};

/// The user with an address, in an organisation or wherever there is only one.
pub(super) fn find_user(client: &mut Client, email: &str, realm: Option<&Realm>) -> Result<(Realm, PlannedUser)> {
    let found = client
        .query(
            "SELECT r.id::int8, r.string_id::text, r.name::text, r.deactivated, u.id::int8, u.delivery_email::text
             FROM zerver_userprofile u JOIN zerver_realm r ON r.id = u.realm_id
             WHERE upper(u.delivery_email) = upper($1) AND ($2::int8 IS NULL OR r.id = $2::int8) ORDER BY r.id",
            &[&email, &realm.map(|realm| realm.id)],
        )
        .map_err(|failure| error("look for the user", failure))?;
    match &found[..] {
        [row] => {
            let user = PlannedUser { id: column(row, 4)?, email: column(row, 5)? };
            let realm = Realm {
                id: column(row, 0)?,
                string_id: column(row, 1)?,
                name: column(row, 2)?,
                deactivated: column(row, 3)?,
            };
            Ok((realm, user))
        }
        [] => Err(Error::new(ErrorKind::NotFound, format!("there is no user with the address {email}"))
            .with_hint("the address is the one that mail is sent to (delivery_email)")),
        rows => {
            let realms: Vec<String> = rows.iter().map(|row| format!("{:?}", row.get::<_, String>(1))).collect();
            Err(Error::new(ErrorKind::Usage, format!("{email} is a user of {} organisations", rows.len()))
                .with_hint(format!("name one with -r: {}", realms.join(", "))))
        }
    }
}
