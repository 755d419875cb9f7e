/** SQL for the name of table `c` (`pg_class`) in schema `n` (`pg_namespace`), as `tableId` writes it. */
export const TARGET_OF = `case when n.nspname ~ '[".]' then format('"%s"', replace(n.nspname, '"', '""')) else n.nspname end || '.' ||
      case when c.relname ~ '[".]' then format('"%s"', replace(c.relname, '"', '""')) else c.relname end`;
