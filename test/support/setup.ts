// Decorators of DTOs and entities need it before the first class is defined; in the service Nest brings it.
import 'reflect-metadata';
import { Logger } from '@nestjs/common';

// What the service logs is noise here; tests of logging set up a logger of their own.
Logger.overrideLogger(false);
