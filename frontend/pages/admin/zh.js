// zh - the words of the administrator's page in Chinese.

export default {
  'admin.title': '管理',
};
