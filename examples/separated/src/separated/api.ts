import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { shopDatabase } from '../shop/shop-database.js';
import { ShopController } from '../shop/shop.controller.js';

@Module({ controllers: [ShopController], providers: [shopDatabase] })
class ApiModule {}

const app = await NestFactory.create(ApiModule, { logger: ['error'] });
await app.listen(Number(process.env.PORT), '127.0.0.1');
