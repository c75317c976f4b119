// zh - the words of the spectator's page in Chinese.

export default {
  'share.title': '你在观看',
  'share.title.none': '这里没有图片',
  'share.what': '有人把这张图片分享给你。在链接失效之前都可以在这里观看。',
  'share.connecting': '正在查找这个链接所指的图片……',
  'share.lost': '连接断开了。会自动重试。',
  'share.wrong': '这个链接什么也不显示：它已失效、被收回或不完整。请向给你链接的人再要一个。',
  'share.over': '这个链接已失效。请向给你链接的人再要一个。',
};
