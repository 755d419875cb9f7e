import ts from 'typescript';

/**
 * A rule for ESLint: refuses `object[name]` and `name in object` where `name` may be any text, and `Object.assign`. Columns, tables
 * and members of JSON have the names that callers give them: what is written to `object.__proto__` is lost, and what is read
 * of `object.constructor` is a function.
 */
export const noNamesAsKeys = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      key: 'A name may be `__proto__` or `constructor`. Keep what has names in a Map, read it with ownValue, make it with Object.fromEntries or a spread.',
    },
  },
  create(context) {
    const { parserServices } = context.sourceCode;
    const checker = parserServices.program.getTypeChecker();
    const report = (node) => context.report({ node, messageId: 'key' });
    const mayBeAnyText = (node) => {
      const type = parserServices.getTypeAtLocation(node);
      // What a type parameter stands for, at most.
      return isAnyText(checker.getBaseConstraintOfType(type) ?? type);
    };
    return {
      'MemberExpression[computed=true]'(node) {
        if (mayBeAnyText(node.property)) report(node);
      },
      'BinaryExpression[operator="in"]'(node) {
        if (mayBeAnyText(node.left)) report(node);
      },
      'CallExpression[callee.object.name="Object"][callee.property.name="assign"]': report,
    };
  },
};

function isAnyText(type) {
  if (type.isUnion()) return type.types.some(isAnyText);
  return (type.flags & (ts.TypeFlags.String | ts.TypeFlags.Any)) !== 0;
}
