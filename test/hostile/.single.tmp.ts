import { makeAttacks } from './attacks.ts';
import { overRest, overRabbitmq, overTcp } from './ways.ts';
import { seededRandom } from '../../src/demo/random.ts';
import { CREATE_TABLES } from './tables.sql.ts';
import { spawn } from 'node:child_process';
import pg from 'pg';
const wayName = process.argv[2]!;
const only = process.argv[3];
const admin = new pg.Client('postgresql://postgres:postgres@127.0.0.1/postgres'); await admin.connect();
await admin.query('drop database if exists hs with (force)'); await admin.query('create database hs'); await admin.end();
const db = new pg.Client('postgresql://postgres:postgres@127.0.0.1/hs'); await db.connect(); await db.query(CREATE_TABLES);
const base = { PATH: process.env.PATH!, DB_HOST: '127.0.0.1', DB_USERNAME: 'postgres', DB_PASSWORD: 'postgres', DB_NAME: 'hs', LOG_LEVEL:'warn' };
const url = 'amqp://guest:guest@127.0.0.1:5672';
const start = (env: object, prof: string) => { const c = spawn(process.execPath, ['--max-semi-space-size=16','--min-semi-space-size=16','--heap-growing-percent=30','--enable-source-maps','--import','/tmp/lag.mjs', ...(process.env.PROF?['--cpu-prof','--cpu-prof-dir=/tmp/prof','--cpu-prof-name='+prof+'.cpuprofile']:[]), (process.env.DIST??'/work/main/dist')+'/main.js'], { env: { ...base, ...env } as any, cwd: '/tmp' }); const lags: string[] = []; let o=''; const on=(d: Buffer)=>{o+=d; for(const l of d.toString().split('\n')) if(l.startsWith('LAG')) lags.push(l);}; c.stdout.on('data',on);c.stderr.on('data',on); return { c, lags, up: new Promise<void>(r=>{const t=setInterval(()=>{ if(/is up/.test(o)||true&&/Batch Service is up/.test(o)){clearInterval(t);r();}},50); c.on('close',()=>{console.log(o.slice(-800));});}) }; };
const procs: Record<string, ReturnType<typeof start>> = {};
if (wayName==='tcp') procs.all = start({ HTTP_PORT:'38131', BATCH_RPC_TCP_PORT:'38132', LOG_LEVEL:'info' },'all');
else { const b={BATCH_SERVICE_RMQ_URL:url,BATCH_SERVICE_RMQ_QUEUE:'hsq',LOG_LEVEL:'info'}; procs.api=start({...b,BATCH_ROLE:'api',HTTP_PORT:'38131'},'api'); await procs.api.up; procs.worker=start({...b,BATCH_ROLE:'worker',BATCH_WORKER_HEALTH_PORT:'38133'},'worker'); }
for (const p of Object.values(procs)) await p.up;
const random = seededRandom(1);
const way = wayName==='rest'?overRest('http://127.0.0.1:38131','none'):wayName==='tcp'?await overTcp(38132,'none'):await overRabbitmq(url,'hsq');
const noSpecial = Object.assign(Object.create(random), { integer:(a:number,b:number)=> (b===9?5:0), pick:(x:any)=>x[0] });
for (const attack of makeAttacks(random)) {
  if (only && attack.name!==only) continue;
  const t=performance.now(); for(const p of Object.values(procs)) p.lags.length=0;
  const answer=await way.send(attack, noSpecial as any); const ms=Math.round(performance.now()-t);
  let idle=0; for(let n=0;n<200&&idle<2;n++){ const {rows}=await db.query('select (select count(*) from batch.pending)::int as n').catch(()=>({rows:[{n:0}]})); if(rows[0].n===0) idle++; await new Promise(r=>setTimeout(r,100)); }
  console.log(attack.name.padEnd(40), String(attack.body.length).padStart(9), answer.padEnd(24), ms+' ms', ...Object.entries(procs).map(([k,p])=>k+': '+p.lags.map(l=>l.split(' ')[1]+'/'+l.split(' ')[3]).join(' ')));
}
way.close(); await db.end(); for(const p of Object.values(procs)) p.c.kill('SIGTERM'); await new Promise(r=>setTimeout(r,2500)); process.exit(0);
