/** Arrows that must not exist; `npm run lint` checks them (style: inside every service the same rooms). */
module.exports = {
  forbidden: [
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'domain-is-pure',
      comment: 'domain/ knows no use case, transport, table or framework',
      severity: 'error',
      from: { path: '^apps/[^/]+/src/domain/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^apps/[^/]+/src/(use-cases|events-in|events-out|grpc-in|grpc-out|http-in|database)/' },
    },
    {
      name: 'tables-look-inward',
      comment: 'database/ is used by use cases, not the other way round',
      severity: 'error',
      from: { path: '^apps/[^/]+/src/database/' },
      to: { path: '^apps/[^/]+/src/(use-cases|events-in|grpc-in|http-in)/' },
    },
    {
      name: 'services-are-independent',
      comment: 'a service imports no other service',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/([^/]+)/', pathNot: '^apps/$1/' },
    },
    {
      name: 'one-importer-of-kafkajs',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/messaging/|^apps/[^/]+/test/' },
      to: { path: 'node_modules/kafkajs' },
    },
    {
      name: 'libraries-through-their-index',
      severity: 'error',
      from: { path: '^(apps|libs)/([^/]+)/' },
      to: { path: '^libs/([^/]+)/src/', pathNot: '^libs/($2|contracts)/src/|^libs/[^/]+/src/index\\.ts$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'require', 'node', 'default'],
      extensions: ['.ts', '.js', '.json'],
    },
  },
};
