// en - the words of the administrator's page in English.

export default {
  'admin.title': 'Administration',
};
