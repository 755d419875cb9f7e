import 'reflect-metadata';
import { existsSync } from 'node:fs';

// First of all, because other files read the environment when they are loaded. Variables that are set already win. In a container
// there is no such file.
if (existsSync('.env')) process.loadEnvFile('.env');
