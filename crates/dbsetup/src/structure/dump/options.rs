//! What `dump` is asked for, and what of it stands in the file already. Pure.

use crate::driver::{DumpRequest, Via};
use crate::structure::header;

/// What `dump` is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DumpOptions {
    /// How; `None` is native where that is to be had.
    pub via: Option<Via>,
    /// Only these schemas.
    pub schemas: Vec<String>,
    /// Not these schemas.
    pub exclude_schemas: Vec<String>,
    /// Not these tables.
    pub exclude_tables: Vec<String>,
    /// Not these extensions.
    pub exclude_extensions: Vec<String>,
    /// Who owns what, too.
    pub owners: bool,
    /// Who may do what, too.
    pub privileges: bool,
    /// Do not take filters over from the file.
    pub no_filters: bool,
    /// Tables whose rows are left out on purpose, besides those that the file names already.
    pub drop_data: Vec<String>,
    /// Migrations that are run again for the rows that they insert may reach beyond the scratch database.
    pub trusted: bool,
    /// Record versions whose files are nowhere in this checkout.
    pub allow_missing: bool,
    /// Prove the structure: load it into a scratch database and compare ([`crate::structure::verify`]).
    pub verify: bool,
}

impl DumpOptions {
    /// Returns what is asked of the driver, but for the ledger, and which filters of it are the `present` file's: a
    /// file keeps them until others are named. Whoever dumps it the next time may not know them.
    ///
    /// Which rows are left out is no filter: it stays decided whatever filters are named.
    pub(in crate::structure) fn request(&self, mut present: DumpRequest) -> (DumpRequest, Vec<String>) {
        let mut without_rows = std::mem::take(&mut present.without_rows);
        without_rows.extend(self.drop_data.iter().cloned());
        without_rows.sort();
        without_rows.dedup();
        let own = DumpRequest {
            via: self.via,
            schemas: self.schemas.clone(),
            exclude_schemas: self.exclude_schemas.clone(),
            exclude_tables: self.exclude_tables.clone(),
            exclude_extensions: self.exclude_extensions.clone(),
            owners: self.owners,
            privileges: self.privileges,
            ..DumpRequest::default()
        };
        let mut kept = if self.no_filters { DumpRequest::default() } else { present };
        if own.via.is_some() {
            kept.via = None;
        }
        let names_filters = own != DumpRequest { via: own.via, ..DumpRequest::default() };
        if names_filters {
            kept = DumpRequest { via: kept.via, ..DumpRequest::default() };
        }
        let lines = header::filters(&kept);
        let via = own.via.or(kept.via);
        (DumpRequest { via, without_rows, ..if names_filters { own } else { kept } }, lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_filters_until_others_are_named() {
        let present = || DumpRequest {
            via: Some(Via::PgDump),
            exclude_tables: vec!["a".into()],
            owners: true,
            ..DumpRequest::default()
        };
        let options = DumpOptions::default();
        let (request, kept) = options.request(present());
        assert_eq!(request, present());
        assert_eq!(kept, ["excluded: table a", "with: owners", "via: pg_dump"]);

        let options = DumpOptions { schemas: vec!["app".into()], ..DumpOptions::default() };
        let (request, kept) = options.request(present());
        assert_eq!((&request.schemas[..], request.owners), (&["app".to_owned()][..], false));
        assert!(request.exclude_tables.is_empty());
        assert_eq!(kept, ["via: pg_dump"]);

        let options = DumpOptions { via: Some(Via::Native), ..DumpOptions::default() };
        let (request, kept) = options.request(present());
        assert_eq!(request, DumpRequest { via: Some(Via::Native), ..present() });
        assert_eq!(kept, ["excluded: table a", "with: owners"]);

        let options = DumpOptions { no_filters: true, ..DumpOptions::default() };
        assert_eq!(options.request(present()), (DumpRequest::default(), Vec::new()));
    }

    #[test]
    fn what_was_decided_about_rows_stays_decided() {
        let present = || DumpRequest {
            exclude_tables: vec!["a".into()],
            without_rows: vec!["public.log".into()],
            ..DumpRequest::default()
        };
        let said = |options: DumpOptions| options.request(present()).0.without_rows;
        assert_eq!(said(DumpOptions::default()), ["public.log"]);
        assert_eq!(said(DumpOptions { no_filters: true, ..DumpOptions::default() }), ["public.log"]);
        let named = DumpOptions { schemas: vec!["app".into()], ..DumpOptions::default() };
        assert_eq!(said(named), ["public.log"]);
        let drop_data = vec!["audit".into(), "public.log".into()];
        let dropping = DumpOptions { drop_data, ..DumpOptions::default() };
        let (request, kept) = dropping.request(present());
        assert_eq!(request.without_rows, ["audit", "public.log"]);
        // Naming a table's rows is no other filter.
        assert_eq!(
            (&request.exclude_tables[..], &kept[..]),
            (&["a".to_owned()][..], &["excluded: table a".to_owned()][..])
        );
    }
}
