import pg from 'pg';

/** The database of the shop, from the variables `DATABASE_URL` and `DATABASE_SCHEMA`. */
export const shopDatabase = {
  provide: pg.Pool,
  useFactory: (): pg.Pool => {
    const { DATABASE_URL: connectionString, DATABASE_SCHEMA: schema = 'public' } = process.env;
    return new pg.Pool({ connectionString, options: `-c search_path=${schema}`, max: 3 });
  },
};
