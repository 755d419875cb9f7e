# The PostgreSQL image of docker-compose.yml runs this once, when its volume is empty. Tables that the user `postgres` creates in
# schema public are targets that the service may write to.
psql --no-psqlrc --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set=targets=public --file /scripts/roles.sql
