import { Module } from '@nestjs/common';
import { SurveyService } from './survey.service.js';

@Module({ providers: [SurveyService], exports: [SurveyService] })
export class SurveyModule {}
