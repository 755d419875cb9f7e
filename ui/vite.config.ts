import { defineConfig } from 'vite';

// The service serves `dist/ui` under /ui, see src/controllers/http/serve-dashboard.ts.
export default defineConfig({
  root: import.meta.dirname,
  base: '/ui/',
  publicDir: false,
  build: {
    outDir: '../dist/ui',
    emptyOutDir: true,
    target: 'es2022',
    // A file of its own, whatever its size: the content policy allows no `data:` addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  // `npx vite ui` while `npm start` runs: changes are shown at once.
  server: { proxy: { '/api': 'http://127.0.0.1:3000', '/health': 'http://127.0.0.1:3000' } },
});
