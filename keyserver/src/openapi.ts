import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';

/** What the OpenAPI document says beyond the routes' schemas. */
export const openapiOptions: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'Waxwing keyserver',
      version: '1',
      description: 'Accounts, signed device lists, prekeys and usernames.',
      license: { name: 'AGPL-3.0-only', identifier: 'AGPL-3.0-only' },
    },
    components: {
      securitySchemes: {
        device: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            "A compact EdDSA JWS by the device's auth key with the claims iss, aud, iat, exp, req and gen, for this one request. A 401 carries the server's time as Date.",
        },
      },
    },
    security: [{ device: [] }],
  },
};
